package server

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// documentedCodes are the codes that the comment of caio.v1.Error lists.
func documentedCodes(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("../../schema/proto/caio/v1/decision.proto")
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(source), "// One of: ")
	list, _, ended := strings.Cut(list, "string code = 1")
	if !found || !ended {
		t.Fatal("decision.proto no longer lists the codes of Error")
	}
	return regexp.MustCompile(`[A-Z]+(_[A-Z]+)*`).FindAllString(list, -1)
}

func TestEveryDocumentedCodeHasAPlaceInTheTable(t *testing.T) {
	codes := documentedCodes(t)
	if len(codes) < 20 {
		t.Fatalf("found only %d codes: %v", len(codes), codes)
	}
	for _, code := range codes {
		internal := code == codeInternal || code == "TRANSFORMATION_FAILED"
		if got := connectCode(code); (got == connect.CodeInternal) != internal {
			t.Errorf("%s becomes %v", code, got)
		}
	}
}

func TestErrorsThatAreNotOursTellNothing(t *testing.T) {
	wire := toConnect(errors.New("dial 10.0.0.7: password hunter2 refused"))
	if wire.Code() != connect.CodeInternal || detail(wire).GetCode() != codeInternal {
		t.Errorf("got %v, want INTERNAL", wire)
	}
	if strings.Contains(wire.Error(), "hunter2") {
		t.Errorf("told a caller: %v", wire)
	}
}

func TestErrorsOfConnectGetADetail(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code string
	}{
		{connect.NewError(connect.CodeInvalidArgument, errors.New("protocol error")), codeInvalidRequest},
		{connect.NewError(connect.CodeUnknown, errors.New("read message: unexpected EOF")), codeInternal},
		{context.DeadlineExceeded, codeTimeout},
		{context.Canceled, codeCanceled},
	} {
		if got := detail(toConnect(tt.err)).GetCode(); got != tt.code {
			t.Errorf("%v: got %q, want %s", tt.err, got, tt.code)
		}
	}
}

func TestWaitingIsOnlyAdvisedWhereItHelps(t *testing.T) {
	for code, want := range map[string]string{"OVERLOADED": "1", "UNAVAILABLE": "5", "CIRCUIT_OPEN": "5", "RULE_VIOLATION": ""} {
		if got := encode(&caiov1.Error{Code: code}).Meta().Get("Retry-After"); got != want {
			t.Errorf("%s: Retry-After %q, want %q", code, got, want)
		}
	}
}
