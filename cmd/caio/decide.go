package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"buf.build/go/protovalidate"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newDecideCommand() *cobra.Command {
	var contracts, request string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "decide --contracts DIR --request FILE",
		Short: "Decide who would serve a request, without a server and without executing anything",
		Long: `Decide matches a request against contracts, applies the policies, and says who would serve it, why, and why
each other service would not. It needs no server. The same files and seed give the same bytes.

Exit code 0: a service was chosen. 1: nobody can serve, and the answer says why. 2: the command line is wrong.
3: a file cannot be read or is not valid.`,
		Example: "  caio decide --contracts examples/contracts --request examples/requests/fast.json\n" +
			"  caio decide --contracts DIR --policies DIR --request FILE.json --seed 7 -o json",
		Args: noArguments,
	}
	out := addOutput(cmd)
	sources, way := addPolicySources(cmd), addEngine(cmd)
	cmd.Flags().StringVar(&contracts, "contracts", "", "directory of contracts (*.yaml, *.yml, *.json, *.cue), searched through")
	cmd.Flags().StringVar(&request, "request", "", "request as JSON; - for standard input")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "breaks ties among equally good services")
	_ = cmd.MarkFlagRequired("contracts")
	_ = cmd.MarkFlagRequired("request")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		req, err := readRequest(cmd.InOrStdin(), request)
		if err != nil {
			return failed(err)
		}
		set, err := sources.load()
		if err != nil {
			return sources.explain(err)
		}
		for _, note := range sources.notes() {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
		}
		registry, err := readContracts(contracts)
		if err != nil {
			return failed(err)
		}
		snapshot, err := engine.NewSnapshot(registry, set, way.value, nil)
		if err != nil {
			return failed(err)
		}
		decision, err := engine.Decide(cmd.Context(), snapshot, engine.NoPast, req, seed, true)
		if err != nil {
			return failed(err)
		}
		if out.json() {
			err = decisionJSON(cmd.OutOrStdout(), decision)
		} else {
			err = decisionTable(cmd.OutOrStdout(), decision)
		}
		if err == nil && decision.GetError() != nil {
			return refused(nil)
		}
		return err
	}
	return cmd
}

// readRequest reads a request file and holds it against the rules in the proto, which the server applies too.
func readRequest(stdin io.Reader, path string) (*caiov1.Request, error) {
	raw, err := readFileOrStdin(stdin, path)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	req := &caiov1.Request{}
	if err := schema.ParseJSON(raw, req); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := protovalidate.Validate(req); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return req, nil
}

func readFileOrStdin(stdin io.Reader, path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(path)
}

// readContracts reads every contract below dir. All faults of all files are told at once.
func readContracts(dir string) (*contract.Registry, error) {
	checker, err := contract.NewSchema()
	if err != nil {
		return nil, err
	}
	taken := map[string]string{} // id -> file
	var services []*contract.Service
	var faults []error
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isContractFile(path) {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c, err := checker.Parse(path, source)
		if err != nil {
			faults = append(faults, err)
			return nil
		}
		if twin, there := taken[c.ID()]; there {
			faults = append(faults, fmt.Errorf("%s: service_id %q is taken by %s", path, c.ID(), twin))
			return nil
		}
		taken[c.ID()] = path
		services = append(services, &contract.Service{Contract: c, Revision: uint64(len(services) + 1)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read contracts: %w", err)
	}
	return contract.NewRegistry(services...), errors.Join(faults...)
}

func isContractFile(path string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json", ".cue"}, filepath.Ext(path))
}

// decided is the form in which `caio decide -o json` prints a decision. It is kept stable: people script it.
type decided struct {
	ServiceID  string             `json:"service_id"`
	Candidates []decidedCandidate `json:"candidates"`
	Proofs     json.RawMessage    `json:"proofs"`
	Error      *decidedError      `json:"error"`
	Ranking    []string           `json:"ranking"`
	Seed       uint64             `json:"seed"`
	Inputs     json.RawMessage    `json:"inputs"`
	Field      json.RawMessage    `json:"field,omitempty"` // only where the request brings fields
}

type decidedCandidate struct {
	ServiceID string             `json:"service_id"`
	Outcome   string             `json:"outcome"`
	Reasons   []decidedReason    `json:"reasons"`
	Score     *float64           `json:"score"`
	Terms     map[string]float64 `json:"terms"`

	FieldConstraints map[string]float64 `json:"field_constraints,omitempty"` // only where the request brings fields
}

type decidedReason struct {
	Rule    string          `json:"rule"`
	Package string          `json:"package"`
	Title   string          `json:"title"`
	File    string          `json:"file"`
	Line    int32           `json:"line"`
	Message string          `json:"message"`
	Facts   json.RawMessage `json:"facts"`
}

type decidedError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Stage   string `json:"stage"`
	Hint    string `json:"hint"`
}

func decisionJSON(w io.Writer, d *caiov1.Decision) error {
	// The messages' own JSON is canonical; lists of it only need to be cut out.
	raw, err := schema.JSON(&caiov1.Decision{Proofs: d.GetProofs(), Inputs: d.GetInputs(), Field: d.GetField()})
	if err != nil {
		return err
	}
	var parts struct{ Proofs, Inputs, Field json.RawMessage }
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	out := decided{
		ServiceID: d.GetServiceId(), Candidates: []decidedCandidate{}, Proofs: parts.Proofs, Ranking: d.GetRanking(),
		Seed: d.GetSeed(), Inputs: parts.Inputs, Field: parts.Field,
	}
	if out.Ranking == nil {
		out.Ranking = []string{}
	}
	if e := d.GetError(); e != nil {
		out.Error = &decidedError{e.GetCode(), e.GetMessage(), e.GetStage(), e.GetHint()}
	}
	for _, c := range d.GetCandidates() {
		candidate := decidedCandidate{c.GetServiceId(), c.GetOutcome(), []decidedReason{}, c.Score, map[string]float64{}, c.GetFieldConstraints()}
		for name, term := range c.GetTerms() {
			candidate.Terms[name] = term
		}
		for _, r := range c.GetReasons() {
			facts := json.RawMessage("{}")
			if r.GetFacts() != nil {
				if facts, err = schema.JSON(r.GetFacts()); err != nil {
					return err
				}
			}
			candidate.Reasons = append(candidate.Reasons, decidedReason{
				r.GetRule(), r.GetPackage(), r.GetTitle(), r.GetFile(), r.GetLine(), r.GetMessage(), facts})
		}
		out.Candidates = append(out.Candidates, candidate)
	}
	return document(w, out)
}

func decisionTable(w io.Writer, d *caiov1.Decision) error {
	if d.GetServiceId() != "" {
		fmt.Fprintf(w, "%s\n\n", d.GetServiceId())
	} else {
		fmt.Fprintf(w, "nobody: %s\n%s\nnext: %s\n\n", d.GetError().GetCode(), cell(d.GetError().GetMessage()), d.GetError().GetHint())
	}
	var rows [][]string
	for _, c := range d.GetCandidates() {
		score := ""
		if c.Score != nil {
			score = strconv.FormatFloat(c.GetScore(), 'f', 3, 64)
		}
		rows = append(rows, []string{c.GetServiceId(), c.GetOutcome(), score, cell(reasonsText(c.GetReasons()))})
	}
	return table(w, []string{"SERVICE", "OUTCOME", "SCORE", "WHY"}, rows)
}

func reasonsText(reasons []*caiov1.Reason) string {
	out := make([]string, len(reasons))
	for i, r := range reasons {
		out[i] = r.GetMessage()
		if r.GetFile() != "" {
			out[i] += fmt.Sprintf(" (%s, %s:%d)", r.GetRule(), r.GetFile(), r.GetLine())
		}
	}
	return strings.Join(out, "; ")
}
