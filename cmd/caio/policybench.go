package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// maxSynthetic bounds the contracts that bench invents: each is validated as one of an author's is.
const maxSynthetic = 10_000

func newPolicyBenchCommand() *cobra.Command {
	var contracts, request string
	var services int
	var during time.Duration
	cmd := &cobra.Command{
		Use:   "bench [DIR...]",
		Short: "Measure what policy sets cost a request, by each of the two engines",
		Long: `Measure what the policy sets in the DIRs (without one, the embedded set) cost a request: the verdicts over all services
that match, and the reasons of those that are refused, by the factored engine, which serves, and by OPA, which is the
judge. Without --contracts and --request it invents services and requests of many kinds.`,
		Example: "  caio policy bench policies/ new/\n  caio policy bench policies/ --contracts examples/contracts --request examples/requests/fast.json -o json",
	}
	out := addOutput(cmd)
	f := cmd.Flags()
	f.StringVar(&contracts, "contracts", "", "directory of contracts (*.yaml, *.yml, *.json, *.cue), searched through")
	f.StringVar(&request, "request", "", "request as JSON; - for standard input")
	f.IntVar(&services, "services", 100, "how many services to invent")
	f.DurationVar(&during, "for", time.Second, "how long to measure each set and engine")
	cmd.MarkFlagsRequiredTogether("contracts", "request")
	cmd.MarkFlagsMutuallyExclusive("contracts", "services")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if services < 1 || services > maxSynthetic || during <= 0 || during > time.Minute {
			return fmt.Errorf("--services must be from 1 to %d, --for above 0 and up to a minute", maxSynthetic)
		}
		var registry *contract.Registry
		var requests []*caiov1.Request
		var err error
		if contracts != "" {
			var req *caiov1.Request
			if req, err = readRequest(cmd.InOrStdin(), request); err == nil {
				requests = []*caiov1.Request{req}
				registry, err = readContracts(contracts)
			}
		} else {
			requests = inventedRequests()
			registry, err = inventedServices(services)
		}
		if err != nil {
			return failed(err)
		}
		measured, err := benchSet(cmd.Context(), args, registry, requests, during)
		if err != nil {
			return err
		}
		if out.json() {
			return document(cmd.OutOrStdout(), measured)
		}
		rows := make([][]string, 0, len(measured))
		for _, m := range measured {
			rows = append(rows, []string{
				m.Set, m.Engine, strconv.Itoa(m.Rules), strconv.Itoa(m.Candidates), strconv.Itoa(m.Refused),
				microseconds(m.P50), microseconds(m.P99), strconv.FormatFloat(m.Allocs, 'f', 0, 64),
				strconv.FormatFloat(m.Bytes/1024, 'f', 1, 64), milliseconds(float64(m.Prepare) / 1e6),
			})
		}
		return table(cmd.OutOrStdout(), []string{"SET", "ENGINE", "RULES", "CANDIDATES", "REFUSED", "P50", "P99", "ALLOCS", "KB", "PREPARED IN"}, rows)
	}
	return cmd
}

// benched is what one set costs by one engine.
type benched struct {
	Set        string        `json:"set"`
	Digest     string        `json:"digest"`
	Engine     string        `json:"engine"`
	Rules      int           `json:"rules"`
	Services   int           `json:"services"`
	Candidates int           `json:"candidates"`
	Refused    int           `json:"refused"`
	Runs       int           `json:"runs"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	Allocs     float64       `json:"allocs"`
	Bytes      float64       `json:"bytes"`
	Prepare    time.Duration `json:"prepare_ns"` // to bring it into force over these services
}

func microseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Nanoseconds())/1000, 'f', 1, 64) + " us"
}

// benchSet measures each set by both engines.
func benchSet(ctx context.Context, dirs []string, registry *contract.Registry, requests []*caiov1.Request, during time.Duration) ([]benched, error) {
	if len(dirs) == 0 {
		dirs = []string{""}
	}
	var all []benched
	for _, dir := range dirs {
		name, files := "(embedded)", fs.FS(policies.FS())
		if dir != "" {
			info, err := os.Stat(dir)
			if err == nil && !info.IsDir() {
				err = fmt.Errorf("%s: not a directory", dir)
			}
			if err != nil {
				return nil, failed(err)
			}
			name, files = dir, os.DirFS(dir)
		}
		set, err := policy.Load(files)
		if err != nil {
			sources := &policySources{dir: dir}
			return nil, sources.explain(err)
		}
		if set.Len() == 0 {
			return nil, refused(errors.New(name + ": no policies here: a policy is a rule deny or violation in a file *.rego"))
		}
		for _, e := range []policy.Engine{policy.Factored, policy.OPA} {
			began := time.Now()
			snapshot, err := engine.NewSnapshot(registry, set, e, nil)
			if err != nil {
				return nil, failed(err)
			}
			prepared := time.Since(began)
			cost, err := engine.MeasurePolicies(ctx, snapshot, requests, during)
			if err != nil {
				return nil, failed(fmt.Errorf("%s by %s: %w", name, e, err))
			}
			all = append(all, benched{
				Set: name, Digest: set.Digest(), Engine: string(e), Rules: set.Len(), Services: registry.Len(), Candidates: cost.Candidates,
				Refused: cost.Refused, Runs: cost.Runs, P50: cost.P50, P99: cost.P99, Allocs: cost.Allocs, Bytes: cost.Bytes, Prepare: prepared,
			})
		}
	}
	return all, nil
}

// inventedServices are services of many kinds that all offer the same.
func inventedServices(n int) (*contract.Registry, error) {
	checker, err := contract.NewSchema()
	if err != nil {
		return nil, err
	}
	places := []string{"on_device", "local", "region", "cloud"}
	regions := []string{"us-east-1", "eu-west-1", "de", "ap-south-1", "us"}
	warranted := []string{"[]", "[GDPR]", "[HIPAA, GDPR]", "[SOC2]"}
	services := make([]*contract.Service, n)
	for i := range services {
		source := fmt.Sprintf("service_id: s%05d\nname: Invented\nversion: 1.0.0\ncapabilities: [work]\n"+
			"guarantees: {accuracy: %.3f, availability: %.4f, p95_latency_ms: %d}\ncost: {per_request: %.4f}\n"+
			"privacy: {data_locality: %s, encryption: %t, region: %s, compliance: %s}\n"+
			"required_trust_level: %d\nrequired_permissions: [%s]\n",
			i, 0.8+float64(i%20)/100, 0.95+float64(i%50)/1000, 10+i*7%300, float64(i*13%100)/1000,
			places[i%4], i%3 != 0, regions[i%5], warranted[i/2%4], i*5%10, []string{"work:do", "work:more"}[i/3%2])
		c, err := checker.Parse("invented.yaml", []byte(source))
		if err != nil {
			return nil, err
		}
		services[i] = &contract.Service{Contract: c, Revision: uint64(i + 1)}
	}
	return contract.NewRegistry(services...), nil
}

// inventedRequests are requests of many kinds for what inventedServices offer.
func inventedRequests() []*caiov1.Request {
	var all []*caiov1.Request
	for i := range 32 {
		on := func(bit int) bool { return i>>bit&1 == 1 }
		req := &caiov1.Request{
			Capabilities: []string{"work"}, Context: &caiov1.Context{RequestId: fmt.Sprint("r", i)},
			Data:      &caiov1.Data{ContainsPii: on(0), ContainsPhi: on(1)},
			Principal: &caiov1.Principal{Subject: "s", Authenticated: true, TrustLevel: int32(5 + i%5), Permissions: []string{"work:do"}},
		}
		if on(2) {
			req.Context.Priority = "high"
		}
		if on(3) {
			req.Data.Residency = "eu"
		}
		if on(4) {
			req.Budget = &caiov1.Budget{MaxCost: 1, Currency: "USD"}
		}
		all = append(all, req)
	}
	return all
}
