package engine

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A question is a request as it is decided, and what is recorded of it. It is not changed once it was asked.
//
// The recorded form is the request without its intent's body, which may be private and large, and with a Payload that
// says what the body was. It is written once: those bytes are what inputs.request is the digest of, and they stand in the
// trace. So whoever holds the trace can tell that the decision was about this request, and decide it again.
type question struct {
	*caiov1.Request        // complete, with its body
	effort          effort // what its intent asks of whoever executes it
	digest          string // sha256 of the recorded form
	intent          []byte // what the payload's digest is of, without the salt; nil: it is not kept
	framed          []byte // the recorded form as field request of a Trace; nil: nothing is recorded
}

// requestOfTrace is the field of a Trace that holds its request.
const requestOfTrace = 5

// ask returns the question of a request that is complete. salt stands before the intent in what the payload's digest is
// of: the trace's, or none where there is no trace. keep: the trace keeps the intent. visible tells what the request may be
// told of the registry.
func (s *Snapshot) ask(req *caiov1.Request, salt []byte, keep bool, visible visibility) (*question, error) {
	req = s.informed(req, visible)
	m := s.shared.memory.Get().(*memory)
	defer func() {
		m.forget()
		s.shared.memory.Put(m)
	}()
	w := &m.Writer.Writer
	q := &question{Request: req}
	var payload *caiov1.Payload
	if intent := req.Intent; intent != nil {
		if err := w.Fields(intent); err != nil {
			return nil, unreadable(err)
		}
		payload = &caiov1.Payload{Size: int64(w.Len()), Body: bodyName(intent), MaxTokens: maxTokens(intent)}
		if keep {
			q.intent = append([]byte{}, w.Bytes()...)
		}
		w.Raw(salt)
		payload.Digest = schema.Digest(w.Bytes())
		w.Reset()
	}
	q.effort = newEffort(payload)
	if err := writeRequest(w, req, payload); err != nil {
		return nil, unreadable(err)
	}
	q.digest = schema.Digest(w.Bytes())
	w.Message(requestOfTrace, 0)
	q.framed = append([]byte(nil), w.Bytes()...)
	return q, nil
}

// askAgain returns the question that a recorded request was, digest being what it is named by. intent is the one that was
// kept beside it; nil: none was, and the body is not there. Releases that recorded no payload counted what is left of it.
func askAgain(recorded *caiov1.Request, intent *caiov1.Intent, digest string) *question {
	payload := recorded.GetPayload()
	if intent := recorded.GetIntent(); payload == nil && intent != nil {
		payload = &caiov1.Payload{Size: int64(proto.Size(intent)), Body: bodyName(intent), MaxTokens: maxTokens(intent)}
	}
	// Completed, it is as it was, unless a stranger made it.
	q := &question{Request: complete(recalled(recorded), time.Time{}), effort: newEffort(payload), digest: digest}
	if intent != nil {
		q.Request.Intent = intent
	}
	return q
}

// recalled returns a recorded request as policies see it: without the payload, of which what may be known of the body
// stands where the body did. Any other request is returned as it is.
func recalled(recorded *caiov1.Request) *caiov1.Request {
	payload := recorded.GetPayload()
	if payload == nil {
		return recorded
	}
	out := &caiov1.Request{}
	shareRequest(out, recorded)
	if out.Intent.GetBody() != nil {
		return out
	}
	intent := &caiov1.Intent{Type: out.Intent.GetType(), Domain: out.Intent.GetDomain()}
	switch payload.GetBody() {
	case "chat":
		intent.Body = &caiov1.Intent_Chat{Chat: &caiov1.Chat{MaxTokens: payload.MaxTokens}}
	case "code":
		intent.Body = &caiov1.Intent_Code{Code: &caiov1.Code{MaxTokens: payload.MaxTokens}}
	}
	out.Intent = intent
	return out
}

// maxTokens returns how many tokens an intent allows in the answer; nil: it does not say.
func maxTokens(intent *caiov1.Intent) *int32 {
	switch body := intent.GetBody().(type) {
	case *caiov1.Intent_Chat:
		if body.Chat != nil {
			return body.Chat.MaxTokens
		}
	case *caiov1.Intent_Code:
		if body.Code != nil {
			return body.Code.MaxTokens
		}
	}
	return nil
}

// unrecorded fails on a request that says of itself what only a server records.
func unrecorded(req *caiov1.Request) error {
	switch {
	case req.GetPayload() != nil:
		return fail("INVALID_REQUEST", "request", "request.payload is set by the server, in what it records", nil).
			hint("leave it out; what is to be done stands in request.intent")
	case len(req.GetRegistered()) > 0:
		return fail("INVALID_REQUEST", "request", "request.registered is set by the server, which knows what is registered", nil).
			hint("leave it out")
	}
	return nil
}

func unreadable(err error) *Error { return fail("INVALID_REQUEST", "decide", "read the request", err) }
