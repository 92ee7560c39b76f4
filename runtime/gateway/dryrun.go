package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// An Answer is an upstream's answer to one call, as it was recorded. Headers that tell how the body was encoded on its way
// (Content-Encoding, Content-Length, Transfer-Encoding) are not looked at: the body is plain.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// A DryRun is what an execution came to that called nobody.
type DryRun struct {
	// Requests are the calls that were made, in order, as they would have gone out: URL, headers, and a credential's placeholder,
	// "<secret NAME>", where the credential would stand. Their bodies can be read once.
	Requests []*http.Request
	Waits    []time.Duration // that were asked for, and not waited for
	Deltas   []*caiov1.Delta
	Outcome  *Outcome // its latency says nothing
	// Said tells that an error is the adapter's own verdict; another one is the host's.
	Said bool
	// Unanswered tells that the execution got to its last request and no further, because there was no answer left.
	Unanswered bool
}

// errUnanswered ends a dry run at a call that has no answer.
var errUnanswered = errors.New("there is no answer to this call")

// Rehearse executes a call without a network, without secrets and without waiting: answers, in order, answer its calls. All else is
// as in Execute: hosts, headers, framing, and what the adapter's protocol demands. call.Emit is not used. The error is an *Error, as
// Execute's; that answers ran out is none.
func Rehearse(ctx context.Context, call Call, answers ...Answer) (*DryRun, error) {
	run := &DryRun{}
	stage := &stage{run: run, answers: answers}
	g := New(Options{Transport: stage, MaxAttempts: 1})
	g.dry = run
	call.Emit = func(d *caiov1.Delta) error {
		run.Deltas = append(run.Deltas, d)
		return nil
	}
	var err error
	run.Outcome, err = g.Execute(ctx, call)
	if closing := g.Close(); err == nil {
		err = closing
	}
	if errors.Is(err, errUnanswered) {
		run.Unanswered, err = true, nil
	}
	return run, err
}

// A stage is the transport of a dry run.
type stage struct {
	run     *DryRun
	answers []Answer
}

// RoundTrip answers as a host would that speaks HTTP/2, so that a body ends where it ends.
func (s *stage) RoundTrip(r *http.Request) (*http.Response, error) {
	s.run.Requests = append(s.run.Requests, r)
	if len(s.answers) == 0 {
		return nil, errUnanswered
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	header := a.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for _, name := range []string{"Content-Encoding", "Content-Length", "Transfer-Encoding"} {
		header.Del(name)
	}
	return &http.Response{
		Status: http.StatusText(a.Status), StatusCode: a.Status, Proto: "HTTP/2.0", ProtoMajor: 2, Header: header,
		Body: io.NopCloser(bytes.NewReader(a.Body)), ContentLength: -1, Request: r,
	}, nil
}

// placeholder returns what signs a request of a dry run, nil where nothing is signed. A host that the secret would not be sent
// to is not known here: who may have it stands in the server's environment.
func (x *execution) placeholder(r *request) signer {
	a := x.service.auth
	if x.service.signed == nil || r.hostport != x.service.base {
		return nil
	}
	value := "<secret " + a.GetSecret() + ">"
	switch a.GetScheme() {
	case "header":
		return headerSigner(http.CanonicalHeaderKey(a.GetHeader()), strings.TrimLeft(a.GetPrefix()+" "+value, " "))
	case "query":
		return func(req *http.Request, _ []byte) { req.URL = withParameter(req.URL, a.GetParameter(), value) }
	case "basic":
		return headerSigner("Authorization", "Basic "+value)
	case "sigv4":
		return headerSigner("Authorization", "AWS4-HMAC-SHA256 "+value)
	}
	return headerSigner("Authorization", "Bearer "+value)
}
