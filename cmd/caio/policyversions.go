package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// policyTimeout is how long a command waits for a server to compile, test or activate policies.
const policyTimeout = 2 * time.Minute

// bundle reads the set's files as they are sent.
func (s *policySources) bundle() (policy.Bundle, error) {
	files, err := s.files()
	if err != nil {
		return nil, failed(err)
	}
	b, err := policy.ReadBundle(files)
	if err != nil {
		return nil, s.explain(err)
	}
	return b, nil
}

func newPolicyActivateCommand() *cobra.Command {
	request := &caiov1.PolicyServiceActivateRequest{}
	cmd := &cobra.Command{
		Use:   "activate [DIR]",
		Short: "Bring a policy set into force on a running server, as a new version",
		Long: `Send the policy set in DIR (without it, the embedded one) with its tests to a running server, which brings it into force
for the next decision, keeps it as a version, and starts with it from then on, unless it is started with --policies or
--policy-overlay. A set that does not compile, or has no rule for one of SEC-0001 to SEC-0004, is refused. Needs the role
admin and no tenant.`,
		Example: "  caio policy activate policies/ --reason 'budget rule of Q3'\n  caio policy activate --policy-overlay mine/",
		Args:    cobra.MaximumNArgs(1),
	}
	out, sources, remote := addOutput(cmd), addPolicySources(cmd), addRemote(cmd, policyTimeout)
	cmd.Flags().StringVar(&request.Author, "author", "", "who wrote the set (who activates it is known from the token)")
	cmd.Flags().StringVar(&request.Reason, "reason", "", "why, for those who read the versions")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := sources.argument(args); err != nil {
			return err
		}
		files, err := sources.bundle()
		if err != nil {
			return err
		}
		request.Files = files.Messages()
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.policies.Activate(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg)
		}
		for _, f := range sources.placed(response.Msg.GetWarnings()) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%swarning: %s\n", policy.Place(f), f.GetMessage())
		}
		return inForce(cmd, response.Msg.GetVersion(), response.Msg.GetNotes())
	}
	return cmd
}

func newPolicyRollbackCommand() *cobra.Command {
	request := &caiov1.PolicyServiceRollbackRequest{}
	cmd := &cobra.Command{
		Use:   "rollback [VERSION]",
		Short: "Bring an earlier version of the policies into force again, as a new version",
		Long: `Bring the files of VERSION into force again; without it those of the version before the one in force, so that going back
twice goes back two. A rollback is a version too: nothing of the history is lost. Needs the role admin and no tenant.`,
		Example: "  caio policy rollback --reason 'refused too much'\n  caio policy rollback 7",
		Args:    cobra.MaximumNArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, policyTimeout)
	cmd.Flags().StringVar(&request.Reason, "reason", "", "why, for those who read the versions")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if len(args) > 0 {
			if request.Version, err = versionNumber(args[0]); err != nil {
				return err
			}
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.policies.Rollback(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg)
		}
		return inForce(cmd, response.Msg.GetVersion(), response.Msg.GetNotes())
	}
	return cmd
}

// inForce says what was brought into force.
func inForce(cmd *cobra.Command, v *caiov1.PolicyVersion, notes []string) error {
	text := fmt.Sprintf("version %d is in force: %s, digest %.12s", v.GetVersion(), count(int(v.GetRules()), "rule"), v.GetDigest())
	if v.GetRestores() != 0 {
		text += fmt.Sprintf(", the files of version %d", v.GetRestores())
	}
	fmt.Fprintln(cmd.OutOrStdout(), text)
	for _, note := range notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", printable(note))
	}
	return nil
}

// versionNumber reads a version from the command line.
func versionNumber(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no version; versions are numbers from 1, as 'caio policy versions' lists them", text)
	}
	return uint32(n), nil
}

func newPolicyVersionsCommand() *cobra.Command {
	request := &caiov1.PolicyServiceVersionsRequest{}
	cmd := &cobra.Command{
		Use:     "versions",
		Short:   "List the versions of the policies that were in force, newest first",
		Example: "  caio policy versions\n  caio policy versions --limit 10 -o json",
		Args:    noArguments,
	}
	out, remote := addOutput(cmd), addRemote(cmd, registryTimeout)
	cmd.Flags().Int32Var(&request.PageSize, "limit", 100, "versions in the page, at most 1000")
	cmd.Flags().StringVar(&request.PageToken, "page-token", "", "where the page before ended, as it said")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.policies.Versions(ctx, connect.NewRequest(request))
		if err != nil {
			return peer.explain(err)
		}
		if out.json() {
			return message(cmd.OutOrStdout(), response.Msg)
		}
		return showVersions(cmd.OutOrStdout(), response.Msg)
	}
	return cmd
}

func showVersions(w io.Writer, page *caiov1.PolicyServiceVersionsResponse) error {
	if v := page.GetActive(); v.GetVersion() == 0 {
		fmt.Fprintf(w, "in force is the set the server was started with: %s, digest %.12s\n", count(int(v.GetRules()), "rule"), v.GetDigest())
	}
	if len(page.GetVersions()) == 0 {
		return nil
	}
	var rows [][]string
	for _, v := range page.GetVersions() {
		number := strconv.FormatUint(uint64(v.GetVersion()), 10)
		if v.GetActive() {
			number += " *"
		}
		why := v.GetReason()
		if v.GetRestores() != 0 {
			why = fmt.Sprintf("back to %d. %s", v.GetRestores(), why)
		}
		rows = append(rows, []string{
			number, v.GetTime().AsTime().Format(time.RFC3339), strconv.Itoa(int(v.GetRules())), fmt.Sprintf("%.12s", v.GetDigest()),
			orDash(cell(v.GetActivatedBy())), orDash(cell(v.GetAuthor())), orDash(cell(why)),
		})
	}
	if err := table(w, []string{"VERSION", "TIME", "RULES", "DIGEST", "BY", "AUTHOR", "REASON"}, rows); err != nil {
		return err
	}
	if page.GetNextPageToken() != "" {
		fmt.Fprintf(w, "\nmore: --page-token %s\n", page.GetNextPageToken())
	}
	return nil
}

func newPolicyShowCommand() *cobra.Command {
	var file, into string
	cmd := &cobra.Command{
		Use:   "show [VERSION]",
		Short: "Show a version of the policies and its files; without VERSION, what is in force",
		Example: "  caio policy show 7\n  caio policy show 7 --file routing/cost.rego\n" +
			"  caio policy show 7 --into old/    (writes the files, and overwrites none)",
		Args: cobra.MaximumNArgs(1),
	}
	out, remote := addOutput(cmd), addRemote(cmd, policyTimeout)
	cmd.Flags().StringVar(&file, "file", "", "print this file of it")
	cmd.Flags().StringVar(&into, "into", "", "write its files to this directory")
	cmd.MarkFlagsMutuallyExclusive("file", "into", "output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var number uint32
		var err error
		if len(args) > 0 {
			if number, err = versionNumber(args[0]); err != nil {
				return err
			}
		}
		ctx, peer, err := remote.dial(cmd.Context())
		if err != nil {
			return err
		}
		defer peer.Close()
		response, err := peer.policies.Get(ctx, connect.NewRequest(&caiov1.PolicyServiceGetRequest{Version: number}))
		if err != nil {
			return peer.explain(err)
		}
		switch {
		case out.json():
			return message(cmd.OutOrStdout(), response.Msg)
		case file != "":
			return printFile(cmd.OutOrStdout(), response.Msg, file)
		case into != "":
			return writeVersion(cmd.OutOrStdout(), response.Msg, into)
		}
		return showVersion(cmd.OutOrStdout(), response.Msg)
	}
	return cmd
}

func printFile(w io.Writer, r *caiov1.PolicyServiceGetResponse, name string) error {
	for _, f := range r.GetFiles() {
		if f.GetPath() == name {
			_, err := io.WriteString(w, printableText(string(f.GetContent())))
			return err
		}
	}
	return refused(fmt.Errorf("this version has no file %q", name))
}

func writeVersion(w io.Writer, r *caiov1.PolicyServiceGetResponse, dir string) error {
	// The server's word for the paths is not enough: they are written below dir.
	b, err := policy.NewBundle(r.GetFiles())
	if err != nil {
		return failed(err)
	}
	n, err := eject(b.FS(), dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s written to %s\n", count(n, "file"), dir)
	return nil
}

func showVersion(w io.Writer, r *caiov1.PolicyServiceGetResponse) error {
	v := r.GetVersion()
	state := "was in force"
	if v.GetActive() {
		state = "is in force"
	}
	number, since := strconv.FormatUint(uint64(v.GetVersion()), 10)+", "+state, ""
	if v.GetVersion() == 0 {
		number = "none: it is the set the server was started with"
	}
	if v.GetTime() != nil {
		since = v.GetTime().AsTime().Format(time.RFC3339)
	}
	restores := ""
	if v.GetRestores() != 0 {
		restores = fmt.Sprintf("version %d", v.GetRestores())
	}
	pairs(w,
		[2]string{"version", number}, [2]string{"since", since}, [2]string{"restores", restores}, [2]string{"digest", v.GetDigest()},
		[2]string{"rules", strconv.Itoa(int(v.GetRules()))}, [2]string{"activated by", v.GetActivatedBy()},
		[2]string{"author", v.GetAuthor()}, [2]string{"reason", v.GetReason()},
	)
	if len(r.GetFiles()) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, f := range r.GetFiles() {
		rows = append(rows, []string{cell(f.GetPath()), strconv.Itoa(len(f.GetContent()))})
	}
	return table(w, []string{"FILE", "BYTES"}, rows)
}
