package normal

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Nonsense is an answer that makes no sense: what completes "the provider's answer ...".
func Nonsense(what string) error {
	return &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the provider's answer " + what, Retryable: true}
}

// BrokeOff is a stream that ended before the provider was done: why completes "the provider's stream broke off: ...".
func BrokeOff(why string) error {
	return &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the provider's stream broke off: " + why, Retryable: true}
}

// Invalid refuses a request that makes no sense, whoever is asked.
func Invalid(parameter, why string) error {
	return &adapter.Failure{Code: adapter.InvalidRequest, Message: parameter + ": " + why}
}

// Refusal maps an answer that is no 2xx, by its status and by what its body says in any of the forms that Complaint knows.
func Refusal(status int, body []byte) error {
	var said, code string
	if v, err := json.Parse(body); err == nil {
		said, code = Complaint(v)
	}
	return Classify(status, said, code)
}

// ErrorInside maps an error that came with a 200, whole or as a frame.
func ErrorInside(body json.Value) error {
	said, code := Complaint(body)
	f := Classify(0, said, code).(*adapter.Failure)
	f.Message = "the provider answered with an error: " + said
	return f
}

// Classify maps what a provider says went wrong: said is its message, code its own word or number for it, either may be
// empty; status 0: it said so in an answer that began well.
func Classify(status int, said, code string) error {
	f := &adapter.Failure{Code: adapter.ExecutionFailed, Retryable: true}
	suffix := ""
	if status != 0 {
		f, suffix = adapter.StatusFailure(status, Clip(said)), ", status "+strconv.Itoa(status)
	}
	lower := strings.ToLower(code + " " + said)
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(lower, word) {
				return true
			}
		}
		return false
	}
	switch {
	case has("context_length", "maximum context length", "context window", "string_above_max_length", "too many tokens", "too_many_prompt_tokens", "maximum prompt length", "`inputs` tokens", "prompt is too long",
		"input is too long", "exceeds the maximum number of tokens", "context length"):
		f.Reason, f.Retryable = adapter.ContextTooLong, true // another service may hold more
		f.Message = "the conversation is too long for the model" + suffix + ": " + Clip(said)
	case has("content_filter", "content_policy", "content filter", "content management policy", "responsibleaipolicy", "safety system", "moderation_blocked",
		"content_moderation"):
		f.Reason, f.Retryable = adapter.ContentFiltered, false
		f.Message = "the provider's content filter refused" + suffix + ": " + Clip(said)
	case has("insufficient_quota", "quota_exceeded", "credit balance", "insufficient balance", "sufficient credit", "enough credit", "out of credit", "billing_hard_limit", "payment required"):
		f.Reason, f.Retryable = adapter.OutOfCredit, true
		f.Message = "the provider's account is out of credit" + suffix
	case has("model_not_found", "model not found", "deploymentnotfound", "no such model", "unknown model", "unknown_model", "invalid model"):
		f.Reason, f.Retryable = adapter.ModelNotFound, true
	case has("unsupported_parameter", "unsupported_value"):
		f.Retryable = true
	case has("invalid_api_key", "api_key_invalid", "api key not valid", "incorrect api key", "authentication_error", "unauthenticated"):
		f.Reason, f.Retryable = adapter.BadKey, true
		f.Message = "the provider refused the credentials" + suffix
	case f.Reason == "" && has("rate_limit", "rate limit", "too many requests", "resource_exhausted", "throttl"):
		f.Reason = adapter.RateLimited
	case f.Reason == "" && has("overloaded", "no capacity", "unavailable"):
		f.Reason = adapter.Overload
	}
	return f
}

// ModelMissing returns a Failure by an answer 404 that says no more as one of a model that is not there: of an API whose URLs
// name nothing else that may be missing.
func ModelMissing(failure error) error {
	if f, ok := failure.(*adapter.Failure); ok && f.Status == 404 && f.Reason == "" {
		f.Reason = adapter.ModelNotFound
	}
	return failure
}

// Complaint finds what an error body says, in the forms that servers use: {"error":{"message","code"}}, {"error":"...","code"},
// {"message"}, a mere text, {"detail"} as a text or any of these again, {"errors":[...]}, or any of them as the first of a list.
func Complaint(v json.Value) (said, code string) {
	if v.Kind() == json.Array {
		v = v.Pointer("/0")
	}
	if v.Kind() == json.String {
		return Clip(v.Text()), ""
	}
	e := v.Get("error")
	if detail := v.Get("detail"); !e.Exists() && (detail.Kind() == json.Object || detail.Kind() == json.Array) {
		if said, code = Complaint(detail); said != "" {
			return said, code
		}
	}
	if e.Kind() == json.String {
		if said = v.Get("message").Text(); said == "" {
			said = v.Get("error_description").Text()
		}
		if said == "" {
			return Clip(e.Text()), firstText(v.Get("code"), v.Get("error_type"))
		}
		return Clip(said), e.Text()
	}
	if e.Kind() != json.Object {
		e = v
	}
	said = e.Get("message").Text()
	if said == "" {
		said = firstText(v.Get("msg"), v.Get("detail"), v.Get("err_msg"), v.Get("Message"), v.Get("error_message"), v.Pointer("/errors/0"), v.Pointer("/errors/0/message"))
	}
	if code = firstText(e.Get("code"), e.Get("status"), e.Get("type"), v.Get("err_code"), v.Get("__type")); code == "" {
		code = v.Get("name").Text()
	}
	return Clip(said), code
}

func firstText(vs ...json.Value) string {
	for _, v := range vs {
		if s := v.Text(); s != "" {
			return s
		}
		if v.Kind() == json.Object || v.Kind() == json.Array {
			return Clip(string(v)) // some say it in a form of their own
		}
	}
	return ""
}

// Clip bounds a foreign text for a message, at a rune's start.
func Clip(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
