package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/server"
	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// serveOptions are the flags of `caio serve`.
type serveOptions struct {
	addr, data, plugins, secrets string
	jwks, issuer, audience       string
	insecureDev, allowUntraced   bool
	origins, witnesses           []string
	adapterCache                 string
	adapterKeys                  []string
	maxBody                      int
	grace, halfLife              time.Duration
	logLevel                     string
	policies                     *policySources
	engine                       *engineFlag
	checkShare                   float64
	logKey, logName, storeKey    string
	retention                    []string
	private                      []string
	proxy, ca                    string
}

func newServeCommand() *cobra.Command {
	o := &serveOptions{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Serve answers Connect, gRPC, gRPC-Web and JSON on one port until it is interrupted; running requests then finish.

Callers show a bearer token (JWT, EdDSA or RS256) that verifies with a key in --jwks. 'caio token keygen' and
'caio token mint' make both for development. Secrets of providers are read from --secrets (a JSON file) and from the
environment: CAIO_SECRET_<NAME> with the hosts that may receive it in CAIO_SECRET_<NAME>_HOSTS. For the schemes bearer, header
and query (adapter.auth of a contract) a secret is the credential itself; others need JSON:
  basic                   {"username": "...", "password": "..."}
  sigv4                   {"access_key_id": "...", "secret_access_key": "...", "session_token": "..."}, the last if there is one
  oauth2                  {"client_id": "...", "client_secret": "..."}; the host of token_url has to be among the hosts
  google_service_account  the key file as Google gives it out; the host of token_uri has to be among the hosts, where
                          scopes are asked for

In force are the policies of --policies and --policy-overlay; without these flags the version that was activated last
('caio policy activate'), and if there is none the embedded ones.`,
		Example: "  caio token keygen --dir keys && caio serve --jwks keys/jwks.json --data /var/lib/caio",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(cmd.ErrOrStderr(), o.logLevel)
			if err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(gcPercent)
			}
			if n := runtime.GOMAXPROCS(0); os.Getenv("GOMAXPROCS") == "" && n <= fewProcessors {
				runtime.GOMAXPROCS(2 * n)
			}
			if err := serve(cmd.Context(), o, log); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.addr, "addr", "127.0.0.1:7400", "address to listen on; port 0 picks a free one")
	f.StringVar(&o.data, "data", ".caio", "directory of the registry, the traces and the compile cache")
	f.StringVar(&o.adapterCache, "adapter-cache", "", "directory of compiled adapters, which the servers of one user may share (default cache in --data)")
	f.StringVar(&o.plugins, "plugins", "", "directory of further adapters (*.wasm)")
	f.StringVar(&o.secrets, "secrets", "", `JSON file of secrets: {"NAME": {"value": "..." or {...}, "hosts": ["api.example.com"]}}`)
	f.StringVar(&o.jwks, "jwks", "", "JWKS file with the public keys that sign callers' tokens")
	f.StringVar(&o.issuer, "issuer", "caio", "issuer that tokens must name")
	f.StringVar(&o.audience, "audience", "caio", "audience that tokens must name")
	f.BoolVar(&o.insecureDev, "insecure-dev", false, "let everybody in without a token, as an admin; for development only")
	f.BoolVar(&o.allowUntraced, "allow-untraced", false, "take requests that ask that no trace of them is kept (durability none)")
	f.StringSliceVar(&o.origins, "cors-origin", nil, "web origin whose pages may call; may be repeated")
	f.StringArrayVar(&o.witnesses, "witness", nil, "public key (name+hash+base64) of a witness whose signatures below the log's checkpoints are taken; may be repeated")
	f.StringArrayVar(&o.adapterKeys, "adapter-key", nil, "PEM file of an Ed25519 key whose signature lets adapters be installed, TENANT=FILE for a tenant's; may be repeated (default: none is asked for)")
	f.IntVar(&o.maxBody, "max-body", 0, "largest request body in bytes (default 4 MiB)")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "how long running requests may take to finish at the end")
	f.DurationVar(&o.halfLife, "history-half-life", engine.DefaultHalfLife, "how long until what a service did counts half; at least 1s")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.Float64Var(&o.checkShare, "check-share", engine.DefaultCheckShare, "share of decisions, 0 to 1, whose policies OPA judges again in the background, as far as a twentieth of a processor goes")
	f.StringVar(&o.logKey, "log-key", "", "file of the private key that signs the log of traces (default log.key in --data, made at the first start)")
	f.StringVar(&o.storeKey, "encryption-key", "", "file of the key (64 hex digits) that encrypts the store; a store keeps the choice with which it was made")
	f.StringArrayVar(&o.retention, "retention", nil, "days that traces' bodies are kept: 90 for everybody, acme=30 for a tenant, may be repeated; 0: for ever (default)")
	f.StringVar(&o.logName, "log-name", "", "name of the log, such as traces.example.com/eu, where its key is made at the first start (default a random one)")
	f.StringSliceVar(&o.private, "private-upstreams", []string{"listed"}, "private addresses that services are called at: listed (what contracts name as an address or localhost), "+
		"names, addresses, networks such as 10.0.0.0/8; or none")
	f.StringVar(&o.proxy, "upstream-proxy", "", "proxy that services are called through: a URL (http, https, socks5), or env for HTTPS_PROXY and NO_PROXY")
	f.StringVar(&o.ca, "upstream-ca", "", "file of certificates (PEM) of authorities that services are trusted by, beside the system's")
	o.policies = addPolicySources(cmd)
	o.engine = addEngine(cmd)
	return cmd
}

// gcPercent is how much a server's heap may grow, in percent of what lives, before the next collection. Most of it lives
// as long as the server: contracts, policies, adapters. Each collection reads all of that and holds up the requests that
// come meanwhile; at three times Go's 100 there are a third as many. GOGC and GOMEMLIMIT say otherwise.
const gcPercent = 300

// fewProcessors is up to how many of them a server runs twice as many goroutines at once. Where the index of traces is
// compacted, or policies are compiled, as many goroutines compute as there are processors; Go's scheduler takes them one
// from a request after ten milliseconds, the system after one or two: at two processors that is a p99 of 7 ms for a page
// of traces instead of 14, and a quarter more traces a second. GOMAXPROCS says otherwise.
const fewProcessors = 4

func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: only debug, info, warn and error are known", level)
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

// serve builds the house top to bottom, serves until ctx ends, and takes it down in the reverse order.
func serve(ctx context.Context, o *serveOptions, log *slog.Logger) (err error) {
	start := time.Now()
	var down closers
	defer func() { err = errors.Join(err, down.close()) }()

	if o.halfLife < engine.MinHalfLife {
		return fmt.Errorf("--history-half-life %v: must be at least %v", o.halfLife, engine.MinHalfLife)
	}
	if !(o.checkShare >= 0 && o.checkShare <= 1) {
		return fmt.Errorf("--check-share %v: must be a share from 0 to 1", o.checkShare)
	}
	keep, err := parseRetention(o.retention)
	if err != nil {
		return err
	}
	key, err := readStoreKey(o.storeKey)
	if err != nil {
		return err
	}
	set, origin, err := o.named(ctx, log)
	if err != nil {
		return err
	}
	verifier, err := o.verifier()
	if err != nil {
		return err
	}
	schema, err := contract.NewSchema()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return err
	}
	signer, err := logSigner(o.logKey, o.data, o.logName)
	if err != nil {
		return err
	}
	st, err := store.Open(filepath.Join(o.data, "store"), store.Options{Key: key, Logger: log})
	if err != nil {
		return err
	}
	down.add(st.Close)
	if set, origin, err = o.activated(ctx, st, set, origin, log); err != nil {
		return err
	}
	registry, rejected, err := engine.LoadRegistry(ctx, st, schema)
	if err != nil {
		return err
	}
	for _, err := range rejected {
		log.WarnContext(ctx, "contract is not in force: the schema refuses it now", "error", err)
	}
	history, err := o.history(ctx, st, log, &down)
	if err != nil {
		return err
	}
	installed, err := o.adapters(ctx, st, log, &down)
	if err != nil {
		return err
	}
	secrets, err := o.loadSecrets()
	if err != nil {
		return err
	}
	transport, private, err := o.upstreams()
	if err != nil {
		return err
	}
	gw := gateway.New(gateway.Options{Secrets: secrets, Transport: transport, Private: private, Logger: log})
	down.add(gw.Close)
	witnesses, err := trace.Witnesses(o.witnesses)
	if err != nil {
		return fmt.Errorf("--witness: %w", err)
	}
	traces, err := trace.Open(st.Traces(), trace.Options{Signer: signer, Witnesses: witnesses, Logger: log})
	if err != nil {
		return err
	}
	down.add(traces.Close)
	retain(ctx, keep, traces, log, &down)
	e, err := engine.New(engine.Options{
		Registry: registry, Policies: set, Origin: origin, Installed: installed, Gateway: gw, Traces: traces, Store: st, Schema: schema,
		History: history, Logger: log, Release: buildVersion().GetVersion(), PolicyEngine: o.engine.value, CheckShare: o.checkShare,
		AllowUntraced: o.allowUntraced,
	})
	if err != nil {
		return err
	}
	down.add(e.Close)
	s, err := server.New(server.Options{
		Engine: e, Traces: traces, Schema: schema, Verifier: verifier, InsecureDev: o.insecureDev, AllowedOrigins: o.origins,
		MaxBodyBytes: o.maxBody, Grace: o.grace, Backup: st.Backup, Version: buildVersion(), Logger: log,
	})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return fmt.Errorf("listen: %w (choose another with --addr)", err)
	}
	log.InfoContext(ctx, "serving", "addr", listener.Addr().String(), "services", registry.Len(), "rules", set.Len(),
		"adapters", len(e.Snapshot().Adapters.List()), "started_in", time.Since(start).Round(time.Millisecond))
	// What was read and compiled on the way here is garbage now, several times what lives; nobody waits yet.
	debug.FreeOSMemory()
	err = s.Serve(ctx, listener)
	log.InfoContext(context.WithoutCancel(ctx), "stopped")
	return err
}

// verifier returns the verifier of tokens; nil where --insecure-dev does without.
func (o *serveOptions) verifier() (*identity.Verifier, error) {
	if o.jwks == "" {
		if o.insecureDev {
			return nil, nil
		}
		return nil, errors.New("unsafe: nobody's token could be verified; name the public keys with --jwks ('caio token keygen " +
			"--dir keys' makes some for development), or run with --insecure-dev on your own machine")
	}
	raw, err := os.ReadFile(o.jwks)
	if err != nil {
		return nil, fmt.Errorf("--jwks: %w", err)
	}
	keys, err := identity.LoadKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("--jwks %s: %w", o.jwks, err)
	}
	return identity.New(identity.Options{Keys: keys, Issuer: o.issuer, Audience: o.audience})
}

// loadSecrets reads the providers' secrets; what the environment names replaces what the file does.
func (o *serveOptions) loadSecrets() (gateway.SecretSet, error) {
	fromEnv, err := gateway.SecretsFromEnv(os.Environ())
	if err != nil || o.secrets == "" {
		return fromEnv, err
	}
	raw, err := os.ReadFile(o.secrets)
	if err != nil {
		return nil, fmt.Errorf("--secrets: %w", err)
	}
	fromFile, err := gateway.ParseSecrets(raw)
	if err != nil {
		return nil, fmt.Errorf("--secrets %s: %w", o.secrets, err)
	}
	return fromFile.With(fromEnv), nil
}

// upstreams returns how services are reached.
func (o *serveOptions) upstreams() (*http.Transport, gateway.Private, error) {
	private, err := gateway.ParsePrivate(o.private)
	if err != nil {
		return nil, private, fmt.Errorf("--private-upstreams: %w", err)
	}
	how := gateway.TransportOptions{Private: private}
	var proxy string
	if how.Proxy, proxy, err = gateway.ParseProxy(o.proxy); err != nil {
		return nil, private, fmt.Errorf("--upstream-proxy: %w", err)
	}
	if proxy != "" {
		how.Private.Hosts = append(slices.Clone(private.Hosts), strings.ToLower(proxy))
	}
	if o.ca != "" {
		raw, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, private, fmt.Errorf("--upstream-ca: %w", err)
		}
		if how.Roots, err = x509.SystemCertPool(); err != nil {
			return nil, private, fmt.Errorf("read the system's certificates: %w", err)
		}
		if !how.Roots.AppendCertsFromPEM(raw) {
			return nil, private, fmt.Errorf("--upstream-ca %s: there is no certificate in it: it must be PEM", o.ca)
		}
	}
	return gateway.NewTransport(how), private, nil
}

// history loads what is remembered of services, and keeps it until the house is taken down.
func (o *serveOptions) history(ctx context.Context, st *store.Store, log *slog.Logger, down *closers) (*engine.History, error) {
	history, rejected, err := engine.LoadHistory(ctx, st, o.halfLife, time.Now())
	if err != nil {
		return nil, err
	}
	for _, err := range rejected {
		log.WarnContext(ctx, "a service's history begins anew: what is stored cannot be read", "error", err)
	}
	// Running requests finish after ctx has ended; what they tell is saved, too.
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		history.Keep(keeping, st, log)
	}()
	down.add(func() error {
		stop()
		<-kept
		return nil
	})
	return history, nil
}

// adapters loads what came with the server, what --plugins holds, and over it what was installed while it ran.
func (o *serveOptions) adapters(ctx context.Context, st *store.Store, log *slog.Logger, down *closers) (engine.Installed, error) {
	keys, err := readAdapterKeys(o.adapterKeys)
	if err != nil {
		return engine.Installed{}, err
	}
	cache := o.adapterCache
	if cache == "" {
		cache = filepath.Join(o.data, "cache")
	}
	command, err := trial(cache)
	if err != nil {
		return engine.Installed{}, err
	}
	runtime, err := adapter.Open(ctx, adapter.Options{CacheDir: cache, Trial: command})
	if err != nil {
		return engine.Installed{}, err
	}
	// The house is taken down when ctx has ended; closing must not be canceled with it.
	down.add(func() error { return runtime.Close(context.WithoutCancel(ctx)) })
	files, err := readPlugins(o.plugins)
	if err != nil {
		return engine.Installed{}, err
	}
	return engine.LoadAdapters(ctx, runtime, st, files, keys, log)
}

// closers are what was opened, to be closed in the reverse order.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c *closers) close() error {
	var errs []error
	for _, f := range slices.Backward(*c) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}
