package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// defaultServer is where `caio serve` listens when it is not told otherwise.
const defaultServer = "http://127.0.0.1:7400"

// remote is the server that a command talks to, as flags and environment name it.
type remote struct {
	server    string
	token     string
	tokenFile string
	timeout   time.Duration
}

// addRemote gives cmd the flags that name a server. timeout is the default for the whole call; 0: none.
func addRemote(cmd *cobra.Command, timeout time.Duration) *remote {
	r := &remote{}
	f := cmd.Flags()
	f.StringVar(&r.server, "server", "", "address of the server (default $CAIO_SERVER, else "+defaultServer+")")
	f.StringVar(&r.token, "token", "", "bearer token; other users of the machine can see it in the process list, so prefer --token-file")
	f.StringVar(&r.tokenFile, "token-file", "", "file that holds the bearer token (default: the token in $CAIO_TOKEN)")
	f.DurationVar(&r.timeout, "timeout", timeout, "how long to wait for the whole answer; 0: as long as it takes")
	cmd.MarkFlagsMutuallyExclusive("token", "token-file")
	return r
}

// peer is a server, ready to be called. Close it.
type peer struct {
	address       string
	authenticated bool // a token is sent
	cancel        context.CancelFunc
	transport     *http.Transport
	client        *http.Client // sends the token
	orchestrator  caiov1connect.OrchestratorServiceClient
	registry      caiov1connect.RegistryServiceClient
	traces        caiov1connect.TraceServiceClient
	policies      caiov1connect.PolicyServiceClient
	workflows     caiov1connect.WorkflowServiceClient
	system        caiov1connect.SystemServiceClient
	admin         caiov1connect.AdminServiceClient
	adapters      caiov1connect.AdapterServiceClient
}

// dial prepares calls to the server; nothing is sent yet. The context that comes with it ends with the timeout or with
// the peer's Close.
func (r *remote) dial(ctx context.Context) (context.Context, *peer, error) {
	address, err := r.address()
	if err != nil {
		return nil, nil, err
	}
	token, err := r.bearer()
	if err != nil {
		return nil, nil, err
	}
	p := &peer{address: address, authenticated: token != "", transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}
	if r.timeout > 0 {
		ctx, p.cancel = context.WithTimeout(ctx, r.timeout)
	} else {
		ctx, p.cancel = context.WithCancel(ctx)
	}
	var h http.RoundTripper = p.transport
	if token != "" {
		h = bearer{p.transport, token}
	}
	// A redirect would take the token to wherever it points.
	client := &http.Client{Transport: h, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	p.client = client
	p.orchestrator = caiov1connect.NewOrchestratorServiceClient(client, address)
	p.registry = caiov1connect.NewRegistryServiceClient(client, address)
	p.traces = caiov1connect.NewTraceServiceClient(client, address)
	p.policies = caiov1connect.NewPolicyServiceClient(client, address)
	p.workflows = caiov1connect.NewWorkflowServiceClient(client, address)
	p.system = caiov1connect.NewSystemServiceClient(client, address)
	p.admin = caiov1connect.NewAdminServiceClient(client, address)
	p.adapters = caiov1connect.NewAdapterServiceClient(client, address)
	return ctx, p, nil
}

// Close ends what still runs and lets go of the connection.
func (p *peer) Close() {
	p.cancel()
	p.transport.CloseIdleConnections()
}

func (r *remote) address() (string, error) {
	address := r.server
	if address == "" {
		address = os.Getenv("CAIO_SERVER")
	}
	if address == "" {
		return defaultServer, nil
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is not the address of a server; it should look like %s", address, defaultServer)
	}
	return strings.TrimRight(address, "/"), nil
}

func (r *remote) bearer() (string, error) {
	switch {
	case r.token != "":
		return r.token, nil
	case r.tokenFile != "":
		raw, err := os.ReadFile(r.tokenFile)
		if err != nil {
			return "", failed(fmt.Errorf("read the token: %w", err))
		}
		return strings.TrimSpace(string(raw)), nil
	default:
		return strings.TrimSpace(os.Getenv("CAIO_TOKEN")), nil
	}
}

// bearer adds a token to each request.
type bearer struct {
	next  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

// told is what the server said of an error, nil if it said nothing that this client understands.
func told(err error) *caiov1.Error {
	for _, m := range details(err) {
		if e, ok := m.(*caiov1.Error); ok {
			return e
		}
	}
	return nil
}

// faultsOf is what the server found wrong in a contract.
func faultsOf(err error) []*caiov1.Fault {
	for _, m := range details(err) {
		if v, ok := m.(*caiov1.ValidateResponse); ok {
			return v.GetFaults()
		}
	}
	return nil
}

func details(err error) []any {
	var wire *connect.Error
	if !errors.As(err, &wire) {
		return nil
	}
	var out []any
	for _, d := range wire.Details() {
		if m, err := d.Value(); err == nil {
			out = append(out, m)
		}
	}
	return out
}

// explain is err for the one at the terminal: what happened, what to do next, and the exit code that says whether the
// answer is no or there is none.
func (p *peer) explain(err error) error {
	if e := told(err); e != nil {
		return toldError(e)
	}
	var network *net.OpError
	var wire *connect.Error
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return failed(fmt.Errorf("no server answers at %s: %w\n  next: start one with 'caio serve', or name another with --server or CAIO_SERVER", p.address, network.Err))
	case errors.Is(err, context.DeadlineExceeded) || connect.CodeOf(err) == connect.CodeDeadlineExceeded:
		return failed(fmt.Errorf("%s did not answer in time\n  next: allow more with --timeout", p.address))
	case errors.Is(err, context.Canceled) || connect.CodeOf(err) == connect.CodeCanceled:
		return failed(errors.New("interrupted"))
	case errors.As(err, &wire):
		said := wire.Message()
		if said == "" { // as Connect has it for a status without a body of its own
			said = wire.Code().String()
		}
		return failed(fmt.Errorf("%s did not answer as a CAIO server does: %s\n  next: check the address, and 'caio version --server %s'", p.address, printable(said), p.address))
	default:
		return failed(err)
	}
}

// toldError is what the server said of an error, for the one at the terminal.
func toldError(e *caiov1.Error) error {
	text := e.GetMessage()
	if e.GetStage() != "" {
		text = e.GetStage() + ": " + text
	}
	text += " [" + e.GetCode() + "]"
	if e.GetTraceId() != "" {
		text += "\n  trace: caio trace get " + e.GetTraceId()
	}
	if e.GetHint() != "" {
		text += "\n  next: " + e.GetHint()
	}
	if isRefusal(e.GetCode()) {
		return refused(errors.New(printable(text)))
	}
	return failed(errors.New(printable(text)))
}

// isRefusal tells whether a code means that the answer is no, which repeating does not change.
func isRefusal(code string) bool {
	switch code {
	case "INVALID_REQUEST", "INVALID_CONTRACT", "SERVICE_NOT_FOUND", "SERVICE_EXISTS", "NO_MATCHING_SERVICE",
		"RULE_VIOLATION", "SECURITY_VIOLATION", "BUDGET_EXCEEDED", "LATENCY_EXCEEDED", "GUARANTEE_VIOLATION",
		"TRACE_NOT_FOUND", "PERMISSION_DENIED", "INVALID_POLICY", "POLICY_NOT_FOUND", "INVALID_ADAPTER":
		return true
	}
	return false
}

// printable is s without control characters other than line breaks: contracts and answers are written by strangers, and
// a terminal obeys what it is shown.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// printableText is printable, but keeps tabs: an answer may be a table or code.
func printableText(s string) string {
	parts := strings.Split(s, "\t")
	for i, part := range parts {
		parts[i] = printable(part)
	}
	return strings.Join(parts, "\t")
}

// cell is s in one line of a table.
func cell(s string) string { return strings.Join(strings.Fields(printableText(s)), " ") }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// pairs writes names and values, aligned; pairs whose value is empty are left out.
func pairs(w io.Writer, rows ...[2]string) {
	width := 0
	for _, row := range rows {
		if row[1] != "" {
			width = max(width, len(row[0]))
		}
	}
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(w, "%-*s  %s\n", width, row[0], cell(row[1]))
		}
	}
}
