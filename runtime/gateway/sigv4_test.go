package gateway

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	suiteKey   = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	suiteToken = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/" +
		"qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)

// The vectors are those of the test suite that Amazon publishes for Signature Version 4.
func TestSigV4SignsAsAmazonDoes(t *testing.T) {
	now, err := time.Parse(amzDate, "20150830T123600Z")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		method, url    string
		header         http.Header
		body           string
		key            awsKey
		signed, result string
	}{
		"get-vanilla":                      {"GET", "/", nil, "", awsKey{}, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"post-vanilla":                     {"POST", "/", nil, "", awsKey{}, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"get-vanilla-query-order-key-case": {"GET", "/?Param2=value2&Param1=value1", nil, "", awsKey{}, "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		"get-header-key-duplicate": {"GET", "/", http.Header{"My-Header1": {"value2", "value2", "value1"}}, "", awsKey{}, "host;my-header1;x-amz-date",
			"c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		"get-header-value-trim": {"GET", "/", http.Header{"My-Header1": {" value1"}, "My-Header2": {` "a   b   c"`}}, "", awsKey{}, "host;my-header1;my-header2;x-amz-date",
			"acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		"get-unreserved": {"GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", nil, "", awsKey{}, "host;x-amz-date",
			"07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		"post-sts-header-before": {"POST", "/", nil, "", awsKey{session: suiteToken}, "host;x-amz-date;x-amz-security-token", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
		"post-x-www-form-urlencoded": {"POST", "/", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "Param1=value1", awsKey{},
			"content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	} {
		u, err := url.Parse("https://example.amazonaws.com" + test.url)
		if err != nil {
			t.Fatal(err)
		}
		if test.header == nil {
			test.header = http.Header{}
		}
		test.header["User-Agent"] = []string{"changed on the way"} // not signed
		req := &http.Request{Method: test.method, URL: u, Host: u.Host, Header: test.header}
		test.key.id, test.key.secret, test.key.region, test.key.service = "AKIDEXAMPLE", suiteKey, "us-east-1", "service"
		test.key.sign(req, []byte(test.body), now)
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + test.signed + ", Signature=" + test.result
		if got := req.Header.Get("Authorization"); got != want {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
		if got := req.Header.Get("X-Amz-Date"); got != "20150830T123600Z" {
			t.Errorf("%s: date %q", name, got)
		}
	}
}

// Where a path or a parameter needs escapes, all services but S3 sign the path as it is sent, encoded again.
func TestSigV4EncodesOnceMore(t *testing.T) {
	u, err := url.Parse("https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v1:0/a%20b?q=a%2Fb+c&b&a=%C3%BC&b=1")
	if err != nil {
		t.Fatal(err)
	}
	if got := (&awsKey{service: "bedrock"}).canonicalPath(u); got != "/model/anthropic.claude-v1%3A0/a%2520b" {
		t.Error(got)
	}
	if got := (&awsKey{service: "s3"}).canonicalPath(u); got != "/model/anthropic.claude-v1:0/a%20b" {
		t.Error(got)
	}
	if got := canonicalQuery(u); got != "a=%C3%BC&b=&b=1&q=a%2Fb%20c" {
		t.Error(got)
	}
	req := &http.Request{Method: "PUT", URL: u, Host: u.Host, Header: http.Header{}}
	(&awsKey{id: "A", secret: "S", region: "r", service: "s3"}).sign(req, []byte("body"), time.Now())
	if got := req.Header.Get("X-Amz-Content-Sha256"); got != hexSum([]byte("body")) || !strings.Contains(req.Header.Get("Authorization"), "SignedHeaders=host;x-amz-content-sha256;x-amz-date,") {
		t.Errorf("S3: %v", req.Header)
	}
}
