package bedrock

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// refusal maps an answer that is no 2xx. AWS names the exception in a header, before a colon, or in the body, behind a hash.
func refusal(ev *adapter.Event) error {
	var said, kind string
	if v, err := json.Parse(ev.Body); err == nil {
		said, kind = normal.Complaint(v)
	}
	if header := normal.Header(ev.Headers, "x-amzn-errortype"); header != "" {
		kind = header
	}
	kind, _, _ = strings.Cut(kind, ":")
	return failure(ev.Status, kind[strings.LastIndexByte(kind, '#')+1:], said)
}

// thrown maps an exception in a stream, by the status that it would have had as an answer.
func thrown(exception string, event json.Value) error {
	said, _ := normal.Complaint(event)
	status := map[string]int{
		"throttlingException": 429, "serviceUnavailableException": 503, "validationException": 400, "internalServerException": 500,
		"modelStreamErrorException": 424, "modelTimeoutException": 408,
	}[exception]
	f := failure(status, exception, said)
	f.Status, f.Message = 0, "the provider's stream brought "+exception+": "+said
	return f
}

// failure maps an exception by its status, name and message.
func failure(status int, kind, said string) *adapter.Failure {
	f := normal.Classify(status, said, kind).(*adapter.Failure)
	lower := strings.ToLower(said)
	switch {
	case strings.Contains(lower, "model identifier is invalid"), strings.Contains(lower, "access to the model"),
		strings.Contains(lower, "on-demand throughput isn"), kind == "ResourceNotFoundException":
		f.Reason, f.Retryable = adapter.ModelNotFound, true
		f.Message = "the provider has no such model, or not for this account: " + normal.Clip(said)
	case strings.Contains(lower, "input tokens exceeded"):
		f.Reason, f.Retryable = adapter.ContextTooLong, true
		f.Message = "the conversation is too long for the model: " + normal.Clip(said)
	case kind == "ServiceQuotaExceededException":
		f.Reason, f.Retryable = adapter.RateLimited, true
	case kind == "ModelNotReadyException":
		f.Reason = adapter.Overload
	case strings.Contains(lower, "this model doesn't support"):
		f.Retryable = true // another may
	}
	return f
}
