// Measure repeats the measurement that the example's contracts rest on.
//
//	go run ./examples/measure            a table
//	go run ./examples/measure -o json    the same for scripts
//	go run ./examples/measure -check     and exit with 1 if a contract promises what was not measured
//
// Accuracy is the share of the 1,140 sentences of examples/udhr whose language a service names rightly; it is the same
// on every machine. Latency is taken over HTTP on loopback, one call after another on one connection, for sentences
// and for pages (30 sentences in one text); throughput with two connections for each processor. Both depend on the
// machine and on what else it does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/smarthausgroup/caio/examples/services"
)

func main() {
	output := flag.String("o", "table", "output format: table or json")
	check := flag.Bool("check", false, "hold the contracts' promises against what was measured")
	span := flag.Duration("t", 2*time.Second, "how long to measure the throughput of each service")
	flag.Parse()
	if *output != "table" && *output != "json" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *output == "json", *check, *span); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, asJSON, check bool, span time.Duration) error {
	all, err := services.All()
	if err != nil {
		return err
	}
	var results []Result
	for _, s := range all {
		result, err := measure(ctx, s, span)
		if err != nil {
			return fmt.Errorf("%s: %w", s.ServiceID, err)
		}
		results = append(results, result)
	}
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		err = enc.Encode(results)
	} else {
		err = table(w, results)
	}
	if err != nil || !check {
		return err
	}
	return verdict(w, results, asJSON)
}

// verdict says of every promise whether it is true. The error, if any, has the untrue ones.
func verdict(w io.Writer, results []Result, quiet bool) error {
	var untrue []string
	for _, r := range results {
		untrue = append(untrue, r.untrue()...)
	}
	if len(untrue) > 0 {
		return errors.New("contracts promise what was not measured:\n  " + strings.Join(untrue, "\n  ") +
			"\nlower the promise in examples/contracts, or find out what made the service worse")
	}
	if !quiet {
		fmt.Fprintf(w, "\nall %d contracts keep to what was measured\n", len(results))
	}
	return nil
}

func table(w io.Writer, results []Result) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "service\taccuracy\tpromised\tsure\tp50\tp95\tp99\tpage p50\tpage p95\tpage p99\tpromised p95\tcalls/s\t")
	for _, r := range results {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.0f\t\n", r.Service,
			share(r.Accuracy), share(r.Promised.Accuracy), share(r.Sure),
			ms(r.Sentences.P50), ms(r.Sentences.P95), ms(r.Sentences.P99),
			ms(r.Pages.P50), ms(r.Pages.P95), ms(r.Pages.P99), ms(r.Promised.P95), r.Throughput)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nsure: share of sentences for which the reported confidence is not below the promised accuracy")
	for _, r := range results {
		if len(r.Weak) > 0 {
			fmt.Fprintf(w, "%s is weakest in %s\n", r.Service, strings.Join(r.Weak, ", "))
		}
	}
	return nil
}

func share(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4f", v)
}

func ms(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f ms", v)
}
