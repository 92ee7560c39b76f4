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
	Retryable bool   // another service, or the same later, may succeed: the host may fall back
	Reason    string // what the provider meant, one of the reasons below; empty: none of them
}

// Reasons that a Failure may carry; the host drops any other.
const (
	RateLimited     = "rate_limited"     // too many requests or tokens for now
	OutOfCredit     = "out_of_credit"    // the account cannot pay
	ContextTooLong  = "context_too_long" // more than the model can read
	ContentFiltered = "content_filtered" // the provider does not answer this
	BadKey          = "bad_key"          // the credentials are wrong, or do not allow it
	ModelNotFound   = "model_not_found"  // the provider has no such model, or not for this account
	Overload        = "overloaded"       // the provider has no capacity for now
	BadRequest      = "bad_request"      // the request itself is refused
)

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// Unsupported refuses a parameter that the provider cannot honour. parameter is its path in the intent, such as
// "chat.seed"; why completes the sentence. Another service may honour it, so the host may fall back.
func Unsupported(parameter, why string) *Failure {
	return &Failure{Code: TransformationFailed, Message: parameter + ": " + why, Retryable: true}
}

// CheckStatus returns nil for a 2xx, else what [StatusFailure] makes of the status alone.
func CheckStatus(status int) error {
	if status >= 200 && status <= 299 {
		return nil
	}
	return StatusFailure(status, "")
}

// StatusFailure classifies an answer by its HTTP status. message is what the provider said, empty if nothing; for 401
// and 403 it is left out, because providers repeat parts of the key there. All are retryable but 400, 409, 422 and 451:
// those refuse the request itself, and another service would rightly do the same.
func StatusFailure(status int, message string) *Failure {
	f := &Failure{Code: ExecutionFailed, Status: status, Retryable: true}
	what := "the provider answered"
	switch status {
	case 400, 409, 422, 451:
		f.Reason, f.Retryable, what = BadRequest, false, "the provider refused the request"
	case 401, 403:
		f.Reason, what, message = BadKey, "the provider refused the credentials", ""
	case 402:
		f.Reason, what = OutOfCredit, "the provider wants to be paid"
	case 408, 504:
		f.Code, what = Timeout, "the provider took too long"
	case 429:
		f.Reason, what = RateLimited, "the provider's rate limit is reached"
	case 503, 529:
		f.Code, f.Reason, what = Unavailable, Overload, "the provider has no capacity"
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
