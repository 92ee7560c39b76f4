package adapter

import "strconv"

// Codes that a Failure may carry; the host refuses any other.
const (
	InvalidRequest       = "INVALID_REQUEST"       // the caller's request makes no sense
	TransformationFailed = "TRANSFORMATION_FAILED" // the provider has no way to say this; the message names the parameter
	ExecutionFailed      = "EXECUTION_FAILED"      // the provider refused or answered nonsense
	Timeout              = "TIMEOUT"               // the provider took too long
	Overloaded           = "OVERLOADED"            // the provider has no capacity
	Unavailable          = "UNAVAILABLE"           // the provider is down
)

// Failure is an error that says how the host shall treat it.
type Failure struct {
	Code      string // one of the codes above; empty: EXECUTION_FAILED
	Message   string // for people; must hold no secret and no more of the payload than needed
	Status    int    // the provider's HTTP status; 0: none
	Retryable bool   // the same later, or another service, may succeed
}

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// Unsupported refuses a parameter that the provider cannot honour. parameter is its path in the intent, such as
// "chat.seed"; why completes the sentence.
func Unsupported(parameter, why string) *Failure {
	return &Failure{Code: TransformationFailed, Message: parameter + ": " + why}
}

// CheckStatus returns nil for a 2xx, else what [StatusFailure] makes of the status alone.
func CheckStatus(status int) error {
	if status >= 200 && status <= 299 {
		return nil
	}
	return StatusFailure(status, "")
}

// StatusFailure classifies an answer by its HTTP status. message is what the provider said, empty if nothing; for 401
// and 403 it is left out, because providers repeat parts of the key there. Worth a retry are 408, 409, 425, 429, 500,
// 502, 503, 504 and 529.
func StatusFailure(status int, message string) *Failure {
	f := &Failure{Code: ExecutionFailed, Status: status}
	what := "the provider answered"
	switch status {
	case 401, 403:
		what, message = "the provider refused the credentials", ""
	case 408, 504:
		f.Code, f.Retryable, what = Timeout, true, "the provider took too long"
	case 429:
		f.Retryable, what = true, "the provider's rate limit is reached"
	case 409, 425, 500, 502:
		f.Retryable = true
	case 503, 529:
		f.Code, f.Retryable, what = Unavailable, true, "the provider has no capacity"
	}
	f.Message = what + ", status " + strconv.Itoa(status)
	if message != "" {
		f.Message += ": " + clip(message)
	}
	return f
}

// clip bounds a foreign text for an error message, at a rune's start.
func clip(s string) string {
	const most = 500
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "..."
}
