package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An awsKey signs requests by AWS Signature Version 4, as AWS specifies it in "Create a signed AWS API request". It is
// written here because the SDK's signer comes with a module of everything else; Amazon's own test vectors hold it.
type awsKey struct {
	id, secret, session string // session: the token of temporary credentials; "" for none
	region, service     string
}

// amzDate is the form of X-Amz-Date; its first eight bytes are the date of the scope.
const amzDate = "20060102T150405Z"

// sign adds the signature to req, whose headers it changes. Signed is every header that is there by now but those that
// are changed on the way, Host, and the body.
func (k *awsKey) sign(req *http.Request, body []byte, now time.Time) {
	date := now.UTC().Format(amzDate)
	req.Header.Set("X-Amz-Date", date)
	if k.session != "" {
		req.Header.Set("X-Amz-Security-Token", k.session)
	}
	payload := hexSum(body)
	if k.service == "s3" {
		req.Header.Set("X-Amz-Content-Sha256", payload) // the one service that demands it
	}
	names, headers := canonicalHeaders(req)
	canonical := strings.Join([]string{req.Method, k.canonicalPath(req.URL), canonicalQuery(req.URL), headers, names, payload}, "\n")
	scope := date[:8] + "/" + k.region + "/" + k.service + "/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hexSum([]byte(canonical))
	key := []byte("AWS4" + k.secret)
	for _, part := range []string{date[:8], k.region, k.service, "aws4_request", toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+k.id+"/"+scope+", SignedHeaders="+names+", Signature="+hex.EncodeToString(key))
}

// canonicalPath encodes the path as it is sent once more; S3 alone takes it as it is.
func (k *awsKey) canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	switch {
	case path == "":
		return "/"
	case k.service == "s3":
		return path
	}
	return awsEscape(path, true)
}

// canonicalQuery sorts the parameters, encoded, by name and then by value.
func canonicalQuery(u *url.URL) string {
	var pairs []string
	for name, values := range u.Query() {
		for _, value := range values {
			pairs = append(pairs, awsEscape(name, false)+"="+awsEscape(value, false))
		}
	}
	slices.SortFunc(pairs, func(a, b string) int {
		nameA, valueA, _ := strings.Cut(a, "=")
		nameB, valueB, _ := strings.Cut(b, "=")
		if c := strings.Compare(nameA, nameB); c != 0 {
			return c
		}
		return strings.Compare(valueA, valueB)
	})
	return strings.Join(pairs, "&")
}

// canonicalHeaders returns the names of the headers that are signed, and a line for each of them.
func canonicalHeaders(req *http.Request) (names, lines string) {
	values := map[string]string{"host": req.Host}
	for name, list := range req.Header {
		switch name {
		case "Authorization", "User-Agent", "X-Amzn-Trace-Id", "Expect", "Transfer-Encoding", "Connection":
			continue
		}
		trimmed := make([]string, len(list))
		for i, v := range list {
			trimmed[i] = strings.Join(strings.FieldsFunc(v, func(r rune) bool { return r == ' ' }), " ")
		}
		values[strings.ToLower(name)] = strings.Join(trimmed, ",")
	}
	sorted := slices.Sorted(maps.Keys(values))
	var b strings.Builder
	for _, name := range sorted {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return strings.Join(sorted, ";"), b.String()
}

// awsEscape encodes everything but the unreserved characters of RFC 3986, and the slash where it separates.
func awsEscape(s string, path bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 || c == '/' && path {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
