package server

import (
	"net/url"
	"testing"

	"connectrpc.com/connect"
)

// FuzzListRequest reads the parameters of an audit view off any address; what is not taken is the caller's fault.
func FuzzListRequest(f *testing.F) {
	f.Add("tenant=acme&violations=true&min_cost=0.5&since=2026-11-22T12:00:00Z")
	f.Add("page_size=-1&violations=&\xff=1&status=ok&status=ok")
	f.Fuzz(func(t *testing.T, query string) {
		parameters, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		if _, err := listRequest(parameters); err != nil && connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%q: %v", query, err)
		}
	})
}
