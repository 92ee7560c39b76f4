package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/schema"
)

// Files that keygen writes.
const (
	privateKeyFile = "private.jwk"
	publicKeysFile = "jwks.json"
)

// defaultIssuer and defaultAudience are what mint writes and serve expects, unless told otherwise.
const (
	defaultIssuer   = "caio"
	defaultAudience = "caio"
)

func newTokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make keys and bearer tokens for development, and see what a token says",
		Long: `Make keys and bearer tokens for development, and see what a token says.

In production tokens come from your identity provider; its public keys (a JWKS file) are all that the server needs.`,
	}
	cmd.AddCommand(newTokenKeygenCommand(), newTokenMintCommand(), newTokenInspectCommand())
	return cmd
}

func newTokenKeygenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keygen --dir DIR",
		Short: "Make an Ed25519 key for development",
		Long: `Make an Ed25519 key for development. DIR gets two files, neither of which is ever overwritten:

  private.jwk  signs tokens ('caio token mint'); keep it to yourself
  jwks.json    verifies them ('caio serve --jwks'); public`,
		Example: "  caio token keygen --dir keys",
		Args:    noArguments,
	}
	out := addOutput(cmd)
	dir := cmd.Flags().String("dir", "", "directory for the files; made if it does not exist")
	required(cmd, "dir")
	_ = cmd.MarkFlagDirname("dir")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		key, err := identity.GenerateKey()
		if err != nil {
			return failed(err)
		}
		private, public := filepath.Join(*dir, privateKeyFile), filepath.Join(*dir, publicKeysFile)
		if err := writeKeys(key, private, public); err != nil {
			return failed(fmt.Errorf("make keys: %w", err))
		}
		if out.json() {
			return document(cmd.OutOrStdout(), map[string]string{"kid": key.ID(), "private_key": private, "jwks": public})
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s  signs tokens; keep it to yourself\n%s  verifies them; public\n\n", private, public)
		fmt.Fprintf(cmd.OutOrStdout(), "Next: caio serve --jwks %s\n      caio token mint --key %s --subject me --role admin\n", public, private)
		return nil
	}
	return cmd
}

// writeKeys writes both files or neither.
func writeKeys(key *identity.PrivateKey, private, public string) error {
	privateJWK, err := key.JWK()
	if err != nil {
		return err
	}
	jwks, err := identity.PublicSet(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(private), 0o700); err != nil {
		return err
	}
	// The private key last: a failure between the two leaves nothing that is secret or in use.
	if err := writeNew(public, jwks, 0o644); err != nil {
		return err
	}
	if err := writeNew(private, append(privateJWK, '\n'), 0o600); err != nil {
		return errors.Join(err, os.Remove(public))
	}
	return nil
}

// writeNew writes a file that must not exist, and leaves none that is half written.
func writeNew(name string, raw []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and is not overwritten; give another --dir, or remove it if nobody needs it", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func newTokenMintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mint --key FILE --subject NAME",
		Short: "Sign a bearer token for development, and print it",
		Long: `Sign a bearer token for development, and print it, alone on its line.

Roles that the server knows: admin, operator (register services, read traces), auditor (reads traces), user.`,
		Example: `  caio token mint --key keys/private.jwk --subject u1 --tenant acme --role user --permission read --trust 5
  CAIO_TOKEN=$(caio token mint --key keys/private.jwk --subject me --role admin) caio service list`,
		Args: noArguments,
	}
	out := addOutput(cmd)
	var c identity.Claims
	f := cmd.Flags()
	key := f.String("key", "", "private key to sign with, a JWK file as 'caio token keygen' writes it")
	f.StringVar(&c.Subject, "subject", "", "who the bearer is")
	f.StringVar(&c.Tenant, "tenant", "", "tenant of the bearer (default: none)")
	f.StringSliceVar(&c.Roles, "role", nil, "role of the bearer; repeat for several")
	f.StringSliceVar(&c.Permissions, "permission", nil, "permission of the bearer; repeat for several")
	f.IntVar(&c.TrustLevel, "trust", 0, "trust in the bearer, 0 to 10")
	f.DurationVar(&c.TTL, "ttl", time.Hour, "how long the token is valid")
	f.StringVar(&c.Issuer, "issuer", defaultIssuer, "issuer that the server expects")
	f.StringVar(&c.Audience, "audience", defaultAudience, "audience that the server expects")
	required(cmd, "key", "subject")
	_ = cmd.MarkFlagFilename("key", "jwk", "json")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(
		[]string{identity.RoleAdmin, identity.RoleOperator, identity.RoleUser, identity.RoleAuditor}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		signer, err := readPrivateKey(*key, cmd.ErrOrStderr())
		if err != nil {
			return failed(err)
		}
		c.IssuedAt = time.Now()
		token, err := identity.Mint(signer, c)
		if err != nil {
			return refused(err)
		}
		if out.json() {
			return document(cmd.OutOrStdout(), map[string]string{
				"token": token, "kid": signer.ID(), "expires": c.IssuedAt.Add(c.TTL).UTC().Format(time.RFC3339),
			})
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
		return err
	}
	return cmd
}

func readPrivateKey(name string, stderr io.Writer) (*identity.PrivateKey, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--key: %w ('caio token keygen --dir keys' makes one)", err)
	}
	key, err := identity.LoadPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("--key %s: %w", name, err)
	}
	if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		fmt.Fprintf(stderr, "caio: warning: others can read %s; run 'chmod 600 %s'\n", name, name)
	}
	return key, nil
}

func newTokenInspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect [TOKEN|-]",
		Short: "Show what a bearer token says, and whether it verifies",
		Long: `Show what a bearer token says and, with --jwks, whether a server with these keys would accept it, and if not, why not.
The token is read from standard input if it is not given or is "-", which keeps it out of the process list.

Exit code 1: the token would be refused.`,
		Example: "  caio token inspect --jwks keys/jwks.json < token.txt",
		Args:    cobra.MaximumNArgs(1),
	}
	out := addOutput(cmd)
	f := cmd.Flags()
	jwks := f.String("jwks", "", "public keys to verify with (default: it is only shown)")
	issuer := f.String("issuer", defaultIssuer, "issuer that the server expects")
	audience := f.String("audience", defaultAudience, "audience that the server expects")
	_ = cmd.MarkFlagFilename("jwks", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		token, err := tokenFrom(args, cmd.InOrStdin())
		if err != nil {
			return failed(err)
		}
		v := verdict{}
		if *jwks != "" {
			if err := v.verify(cmd, token, *jwks, *issuer, *audience); err != nil {
				return failed(err)
			}
		}
		shown, err := identity.Inspect(token)
		if err != nil {
			return refused(err)
		}
		if out.json() {
			err = inspectionDocument(cmd.OutOrStdout(), shown, v)
		} else {
			err = inspectionTable(cmd.OutOrStdout(), shown, v)
		}
		if err == nil && v.err != nil {
			return refused(v.err)
		}
		return err
	}
	return cmd
}

// tokenFrom returns the token of the command line or of stdin.
func tokenFrom(args []string, stdin io.Reader) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	raw, err := io.ReadAll(io.LimitReader(stdin, 4*identity.MaxToken))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// verdict is what a server would say. The zero value: nobody was asked.
type verdict struct {
	asked bool
	err   *identity.Error // nil: accepted
}

// verify asks. Its error is about the keys, not about the token.
func (v *verdict) verify(cmd *cobra.Command, token, jwks, issuer, audience string) error {
	raw, err := os.ReadFile(jwks)
	if err != nil {
		return fmt.Errorf("--jwks: %w", err)
	}
	keys, err := identity.LoadKeys(raw)
	if err != nil {
		return fmt.Errorf("--jwks %s: %w", jwks, err)
	}
	verifier, err := identity.New(identity.Options{Keys: keys, Issuer: issuer, Audience: audience})
	if err != nil {
		return err
	}
	v.asked = true
	if _, err = verifier.Verify(cmd.Context(), token); err != nil && !errors.As(err, &v.err) {
		return err
	}
	return nil
}

func (v verdict) String() string {
	switch {
	case !v.asked:
		return "not checked; give the keys with --jwks"
	case v.err != nil:
		return "no (" + string(v.err.Reason) + ")"
	}
	return "yes"
}

func inspectionTable(w io.Writer, i *identity.Inspection, v verdict) error {
	p := i.Principal
	return table(w, []string{"CLAIM", "VALUE"}, [][]string{
		{"subject", shownAs(p.GetSubject())}, {"tenant", shownAs(p.GetTenant())}, {"roles", shownAs(p.GetRoles()...)},
		{"permissions", shownAs(p.GetPermissions()...)}, {"trust", strconv.Itoa(int(p.GetTrustLevel()))},
		{"issuer", shownAs(i.Issuer)}, {"audience", shownAs(i.Audience...)},
		{"issued", instant(i.IssuedAt)}, {"not before", instant(i.NotBefore)}, {"expires", instant(i.Expiry)},
		{"algorithm", shownAs(i.Algorithm)}, {"key", shownAs(i.KeyID)}, {"verifies", v.String()},
	})
}

// shownAs shows what a token says, which may be anything, on one line.
func shownAs(values ...string) string { return orDash(cell(strings.Join(values, ", "))) }

func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func inspectionDocument(w io.Writer, i *identity.Inspection, v verdict) error {
	principal, err := schema.JSON(i.Principal)
	if err != nil {
		return err
	}
	doc := struct {
		Principal json.RawMessage `json:"principal"`
		Issuer    string          `json:"issuer"`
		Audience  []string        `json:"audience"`
		IssuedAt  *time.Time      `json:"issued_at,omitempty"`
		NotBefore *time.Time      `json:"not_before,omitempty"`
		Expires   time.Time       `json:"expires"`
		Algorithm string          `json:"algorithm"`
		KeyID     string          `json:"kid"`
		Verified  *bool           `json:"verified,omitempty"` // absent: not checked
		Reason    identity.Reason `json:"reason,omitempty"`
	}{Principal: principal, Issuer: i.Issuer, Audience: i.Audience, Expires: i.Expiry, Algorithm: i.Algorithm, KeyID: i.KeyID}
	if !i.IssuedAt.IsZero() {
		doc.IssuedAt = &i.IssuedAt
	}
	if !i.NotBefore.IsZero() {
		doc.NotBefore = &i.NotBefore
	}
	if v.asked {
		ok := v.err == nil
		doc.Verified = &ok
	}
	if v.err != nil {
		doc.Reason = v.err.Reason
	}
	return document(w, doc)
}

// required makes flags required; their names are the program's own, so no error can come of it.
func required(cmd *cobra.Command, flags ...string) {
	for _, f := range flags {
		_ = cmd.MarkFlagRequired(f)
	}
}
