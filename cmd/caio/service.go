package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// registryTimeout is enough for any call to the registry.
const registryTimeout = 30 * time.Second

func newServiceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Show, register, update and remove the services of a running server",
	}
	cmd.AddCommand(newServiceListCommand(), newServiceGetCommand(), newServiceRegisterCommand(), newServiceUpdateCommand(),
		newServiceRemoveCommand(), newServiceDiscoverCommand())
	return cmd
}

func newServiceListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the services, sorted by id",
		Example: "  caio service list\n  caio service list -o json",
		Args:    noArguments,
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		all := &caiov1.ListResponse{}
		for token := ""; ; {
			page, err := peer.registry.List(ctx, connect.NewRequest(&caiov1.ListRequest{PageSize: 1000, PageToken: token}))
			if err != nil {
				return peer.explain(err)
			}
			all.Services = append(all.Services, page.Msg.GetServices()...)
			all.Digest = page.Msg.GetDigest()
			if token = page.Msg.GetNextPageToken(); token == "" {
				break
			}
		}
		if out.json() {
			return message(cmd.OutOrStdout(), all)
		}
		if len(all.Services) == 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "no services; register one with 'caio service register FILE'")
			return nil
		}
		return serviceTable(cmd.OutOrStdout(), all.Services)
	}
	return cmd
}

func serviceTable(w io.Writer, services []*caiov1.Service) error {
	rows := make([][]string, 0, len(services))
	for _, s := range services {
		c := s.GetContract()
		rows = append(rows, []string{
			c.GetServiceId(), c.GetVersion(), cell(strings.Join(capabilityTypes(c), ",")), c.GetPrivacy().GetDataLocality(),
			orDash(c.GetAdapter().GetPlugin()), orDash(c.GetMetadata().GetTenant()), strconv.FormatUint(s.GetRevision(), 10), short(s.GetDigest()),
		})
	}
	return table(w, []string{"SERVICE", "VERSION", "CAPABILITIES", "DATA", "ADAPTER", "TENANT", "REVISION", "DIGEST"}, rows)
}

func capabilityTypes(c *caiov1.Contract) []string {
	var types []string
	for _, capability := range c.GetCapabilities() {
		types = append(types, capability.GetType())
	}
	return types
}

// short is a digest as people compare it.
func short(digest string) string { return digest[:min(12, len(digest))] }

func newServiceGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get ID",
		Short:   "Show one service and its contract in the normal form",
		Example: "  caio service get fast_detector",
		Args:    cobra.ExactArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.registry.Get(ctx, connect.NewRequest(&caiov1.GetRequest{ServiceId: args[0]}))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg.GetService())
		}
		return showService(cmd.OutOrStdout(), response.Msg.GetService())
	}
	return cmd
}

func showService(w io.Writer, s *caiov1.Service) error {
	c := s.GetContract()
	pairs(w,
		[2]string{"service", c.GetServiceId()},
		[2]string{"name", c.GetName()},
		[2]string{"version", c.GetVersion()},
		[2]string{"description", c.GetDescription()},
		[2]string{"capabilities", strings.Join(capabilityTypes(c), ", ")},
		[2]string{"cost", costText(c.GetCost())},
		[2]string{"data", dataText(c.GetPrivacy())},
		[2]string{"needs", needsText(c)},
		[2]string{"api", c.GetApi().GetBaseUrl()},
		[2]string{"adapter", c.GetAdapter().GetPlugin()},
		[2]string{"tenant", c.GetMetadata().GetTenant()},
		[2]string{"history", historyText(s.GetHistory())},
		[2]string{"digest", s.GetDigest()},
		[2]string{"revision", fmt.Sprintf("%d, %s", s.GetRevision(), s.GetTime().AsTime().Format(time.RFC3339))},
	)
	if len(c.GetGuarantees()) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(c.GetGuarantees())) {
		g := c.GetGuarantees()[name]
		rows = append(rows, []string{cell(name), cell(g.GetProperty()), boundText(g.GetBound()), orDash(g.GetInvariant())})
	}
	return table(w, []string{"GUARANTEE", "PROPERTY", "BOUND", "INVARIANT"}, rows)
}

// boundText is a bound in the notation of the number it sets.
func boundText(b *caiov1.Bound) string {
	var text string
	switch b.GetType() {
	case "min":
		text = ">= " + number(b.GetMin())
	case "max":
		text = "<= " + number(b.GetMax())
	case "equality":
		text = "within " + number(b.GetDeviation())
		if b.Target != nil {
			text += " of " + number(b.GetTarget())
		}
	case "relative_max":
		text = "<= " + number(b.GetRatio()) + " x reference"
	case "min_multiple":
		text = ">= " + number(b.GetMultiple()) + " x reference"
	case "boolean":
		text = strconv.FormatBool(b.GetBoolean())
	default:
		text = b.GetType()
	}
	return cell(strings.TrimSpace(text + " " + b.GetUnit()))
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// price writes f without an exponent, as prices are read.
func price(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func costText(c *caiov1.Cost) string {
	var parts []string
	if c != nil && c.PerRequest != nil {
		parts = append(parts, price(c.GetPerRequest())+" a request")
	}
	if t := c.GetPerToken(); t != nil && t.In != nil {
		parts = append(parts, price(t.GetIn())+" a token read")
	}
	if t := c.GetPerToken(); t != nil && t.Out != nil {
		parts = append(parts, price(t.GetOut())+" a token written")
	}
	if len(parts) == 0 {
		return "not stated"
	}
	return c.GetCurrency() + " " + strings.Join(parts, ", ")
}

// historyText is what is remembered of a service, to the hundredth: what is left of a count is seldom whole.
func historyText(h *caiov1.History) string {
	if h == nil {
		return "never executed"
	}
	round := func(f float64) string { return price(math.Round(f*100) / 100) }
	parts := []string{fmt.Sprintf("executions %s, failures %s, of them violations %s, counted by age",
		round(h.GetRequests()), round(h.GetFailures()), round(h.GetViolations()))}
	if h.P50LatencyMs != nil {
		parts = append(parts, fmt.Sprintf("p50 %s p95 %s p99 %s ms", round(h.GetP50LatencyMs()), round(h.GetP95LatencyMs()), round(h.GetP99LatencyMs())))
	}
	if h.MeanCost != nil {
		parts = append(parts, fmt.Sprintf("mean cost %s %s", h.GetCurrency(), price(h.GetMeanCost())))
	}
	return strings.Join(parts, "; ")
}

func dataText(p *caiov1.Privacy) string {
	parts := []string{p.GetDataLocality()}
	if p.GetEncryption() {
		parts = append(parts, strings.TrimSpace("encrypted "+p.GetEncryptionType()))
	}
	if p.GetRegion() != "" {
		parts = append(parts, "in "+p.GetRegion())
	}
	if p.GetRetention() != "" {
		parts = append(parts, "kept "+p.GetRetention())
	}
	return strings.Join(append(parts, p.GetCompliance()...), ", ")
}

func needsText(c *caiov1.Contract) string {
	var parts []string
	if c.GetConstraints().GetRequiresGpu() {
		parts = append(parts, "a GPU")
	}
	if c.GetConstraints().GetRequiresInternet() {
		parts = append(parts, "the internet")
	}
	if len(c.GetRequiredPermissions()) > 0 {
		parts = append(parts, "permission "+strings.Join(c.GetRequiredPermissions(), " or "))
	}
	if c.GetRequiredTrustLevel() > 0 {
		parts = append(parts, fmt.Sprintf("trust %d", c.GetRequiredTrustLevel()))
	}
	return strings.Join(parts, ", ")
}

func newServiceRegisterCommand() *cobra.Command {
	return newPutCommand("register", "Register services by their contracts", "registered",
		func(ctx context.Context, p *peer, source *caiov1.Source) (*caiov1.Service, error) {
			request := &caiov1.RegisterRequest{Form: &caiov1.RegisterRequest_Source{Source: source}}
			response, err := p.registry.Register(ctx, connect.NewRequest(request))
			if err != nil {
				return nil, err
			}
			return response.Msg.GetService(), nil
		})
}

func newServiceUpdateCommand() *cobra.Command {
	return newPutCommand("update", "Replace the contracts of registered services", "updated",
		func(ctx context.Context, p *peer, source *caiov1.Source) (*caiov1.Service, error) {
			request := &caiov1.UpdateRequest{Form: &caiov1.UpdateRequest_Source{Source: source}}
			response, err := p.registry.Update(ctx, connect.NewRequest(request))
			if err != nil {
				return nil, err
			}
			return response.Msg.GetService(), nil
		})
}

func newServiceRemoveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove ID...",
		Short:   "Take services out; running requests finish",
		Example: "  caio service remove fast_detector",
		Args:    cobra.MinimumNArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		for _, id := range args {
			response, err := peer.registry.Remove(ctx, connect.NewRequest(&caiov1.RemoveRequest{ServiceId: id}))
			if err != nil {
				return peer.explain(err)
			}
			if out.json() {
				if err := message(cmd.OutOrStdout(), response.Msg); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(cmd.OutOrStdout(), "removed %s (revision %d)\n", cell(id), response.Msg.GetRevision())
		}
		return nil
	}
	return cmd
}

func newServiceDiscoverCommand() *cobra.Command {
	var capabilities []string
	var match string
	cmd := &cobra.Command{
		Use:     "discover --capability C...",
		Short:   "Show which services offer capabilities, and why the others do not",
		Example: "  caio service discover --capability language_detection\n  caio service discover --capability chat --capability embedding --match any",
		Args:    noArguments,
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.Flags().StringArrayVar(&capabilities, "capability", nil, "capability that is asked for; may be repeated")
	cmd.Flags().StringVar(&match, "match", "all", "whether all or any of the capabilities must be offered")
	_ = cmd.RegisterFlagCompletionFunc("match", cobra.FixedCompletions([]string{"all", "any"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if match != "all" && match != "any" {
			return fmt.Errorf("--match %q: only all and any are known", match)
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.registry.Discover(ctx, connect.NewRequest(&caiov1.DiscoverRequest{Capabilities: capabilities, Match: match}))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg)
		}
		var rows [][]string
		for _, s := range response.Msg.GetServices() {
			rows = append(rows, []string{s.GetContract().GetServiceId(), "matches", ""})
		}
		for _, c := range response.Msg.GetMismatches() {
			rows = append(rows, []string{c.GetServiceId(), c.GetOutcome(), cell(reasonsText(c.GetReasons()))})
		}
		return table(cmd.OutOrStdout(), []string{"SERVICE", "OUTCOME", "WHY"}, rows)
	}
	return cmd
}
