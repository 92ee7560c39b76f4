package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// audit serves TraceService.List to whoever has only a browser or curl. Who may see what is the same.
type audit struct {
	traces    *traces
	guard     *gate
	validator protovalidate.Validator
	logger    *slog.Logger
}

// all is the view of all traces.
func (a *audit) all() http.Handler { return a.view(func(url.Values) error { return nil }) }

// violations is the view of those in which a guarantee was broken.
func (a *audit) violations() http.Handler {
	return a.view(func(parameters url.Values) error {
		if parameters.Has("violations") {
			return newError(codeInvalidRequest, stageRequest, "violations: this view is of nothing else", "leave it out, or ask for /audit/traces")
		}
		parameters.Set("violations", "true")
		return nil
	})
}

// view answers with a page of the traces that a call's parameters, adapted, ask for.
func (a *audit) view(adapt func(url.Values) error) http.Handler {
	spec := connect.Spec{Procedure: caiov1connect.TraceServiceListProcedure, StreamType: connect.StreamTypeUnary}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		defer func() {
			if value := recover(); value != nil {
				a.refuse(w, r, recovered(a.logger)(r.Context(), spec, r.Header, value))
			}
		}()
		ctx, err := a.guard.admit(r.Context(), spec, connect.Peer{Addr: r.RemoteAddr}, r.Header)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		// Not r.URL.Query, which drops what it cannot read: a filter that is dropped shows more than was asked for.
		parameters, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			err = newError(codeInvalidRequest, stageRequest, "the address's parameters cannot be read: "+readable(err.Error()), "encode them as name=value&name=value")
		} else {
			err = adapt(parameters)
		}
		var page []byte
		if err == nil {
			page, err = a.page(ctx, parameters)
		}
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		a.logger.DebugContext(ctx, "served", "view", r.URL.Path, "code", "OK", "duration_ms", float64(time.Since(start).Microseconds())/1000)
		answerJSON(w, http.StatusOK, page)
	})
}

func (a *audit) page(ctx context.Context, parameters url.Values) ([]byte, error) {
	request, err := listRequest(parameters)
	if err == nil {
		err = a.validator.Validate(request)
	}
	if err != nil {
		return nil, err
	}
	response, err := a.traces.List(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	return schema.JSON(response.Msg)
}

// listRequest reads the fields of a request from parameters of their names: as JSON, which knows their forms, and which
// fields there are.
func listRequest(parameters url.Values) (*caiov1.TraceServiceListRequest, error) {
	const hint = "the parameters are the fields of caio.v1.TraceServiceListRequest, each at most once"
	fields := map[string]any{}
	for name, values := range parameters {
		if len(values) > 1 {
			return nil, newError(codeInvalidRequest, stageRequest, readable(name)+" is given more than once", hint)
		}
		fields[name] = values[0]
	}
	if text, ok := fields["violations"]; ok { // the only one of which JSON takes no text
		yes, err := strconv.ParseBool(text.(string))
		if err != nil {
			return nil, newError(codeInvalidRequest, stageRequest, "violations is neither true nor false", hint)
		}
		fields["violations"] = yes
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	request := &caiov1.TraceServiceListRequest{}
	if err := schema.ParseJSON(raw, request); err != nil {
		return nil, newError(codeInvalidRequest, stageRequest, readable(err.Error()), hint)
	}
	return request, nil
}

// refuse answers with err as a caio.v1.Error.
func (a *audit) refuse(w http.ResponseWriter, r *http.Request, err error) {
	wire := toConnect(err)
	if wire.Code() == connect.CodeInternal {
		a.logger.ErrorContext(r.Context(), "internal error", "view", r.URL.Path, "error", err)
	}
	told := detail(wire)
	a.logger.DebugContext(r.Context(), "served", "view", r.URL.Path, "code", told.GetCode())
	for name, values := range wire.Meta() {
		w.Header()[name] = values
	}
	body, err := schema.JSON(told)
	if err != nil {
		body = []byte(`{"code":"` + codeInternal + `"}`)
	}
	answerJSON(w, httpStatus(wire.Code()), body)
}

func answerJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The caller may be gone; then nobody minds.
	_, _ = w.Write(append(body, '\n'))
}

// httpStatus is the status that connect gives a code; see connectCode.
func httpStatus(code connect.Code) int {
	switch code {
	case connect.CodeInvalidArgument, connect.CodeFailedPrecondition:
		return http.StatusBadRequest
	case connect.CodeUnauthenticated:
		return http.StatusUnauthorized
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	case connect.CodeNotFound:
		return http.StatusNotFound
	case connect.CodeAlreadyExists, connect.CodeAborted:
		return http.StatusConflict
	case connect.CodeResourceExhausted:
		return http.StatusTooManyRequests
	case connect.CodeCanceled:
		return 499
	case connect.CodeUnavailable:
		return http.StatusServiceUnavailable
	case connect.CodeDeadlineExceeded:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}
