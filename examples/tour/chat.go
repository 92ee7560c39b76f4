package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

const chatService = "chat"

// A chatServer is an OpenAI-compatible server that the environment names.
type chatServer struct {
	url        *url.URL
	key, model string
}

// chatFromEnv reads OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL; neither of the first two is no server. It has to
// be HTTPS, or on this machine, if a key is to be sent there.
func chatFromEnv(getenv func(string) string) (*chatServer, error) {
	base, key, model := getenv("OPENAI_BASE_URL"), getenv("OPENAI_API_KEY"), getenv("OPENAI_MODEL")
	if base == "" && key == "" {
		return nil, nil
	}
	if base == "" {
		base = "https://api.openai.com/v1"
	}
	if model == "" {
		model = "gpt-4o-mini"
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("OPENAI_BASE_URL %q is not the address of a server, such as https://api.openai.com/v1", base)
	}
	c := &chatServer{url: u, key: key, model: model}
	if key != "" && u.Scheme == "http" && !c.local() {
		return nil, errors.New("OPENAI_BASE_URL is not https: OPENAI_API_KEY would travel in the clear")
	}
	return c, nil
}

// local tells whether the server is on this machine.
func (c *chatServer) local() bool {
	if c.url.Hostname() == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(c.url.Hostname())
	return err == nil && ip.IsLoopback()
}

// environ hands the key to caio serve, and to nobody else: only the server's own host ever receives it.
func (c *chatServer) environ() []string {
	if c == nil || c.key == "" {
		return nil
	}
	return []string{"CAIO_SECRET_OPENAI=" + c.key, "CAIO_SECRET_OPENAI_HOSTS=" + c.url.Host}
}

// contract is what can be said of a server that nobody measured: what it can do and where it is, but no promise.
func (c *chatServer) contract() []byte {
	var b strings.Builder
	locality := "cloud" // whether data is encrypted at rest, too, nobody said: the default, false, is the safe word
	if c.local() {
		locality = "local"
	}
	fmt.Fprintf(&b, "# Written by examples/tour for the server that OPENAI_BASE_URL and OPENAI_API_KEY name.\n")
	fmt.Fprintf(&b, "service_id: %s\nname: Chat\nversion: 1.0.0\n", chatService)
	fmt.Fprintf(&b, "capabilities:\n  - {type: chat, parameters: {models: [%q]}}\n", c.model)
	fmt.Fprintf(&b, "constraints: {requires_internet: %t}\n", !c.local())
	fmt.Fprintf(&b, "privacy: {data_locality: %s}\n", locality)
	fmt.Fprintf(&b, "api: {protocol: http, base_url: %q}\n", strings.TrimRight(c.url.String(), "/"))
	fmt.Fprintf(&b, "adapter:\n  plugin: openai\n  settings: {model: %q}\n", c.model)
	if c.key != "" {
		fmt.Fprintf(&b, "  auth: {scheme: bearer, secret: openai}\n")
	}
	return []byte(b.String())
}

func (c *chatServer) request() *caiov1.Request {
	return &caiov1.Request{
		Capabilities: []string{"chat"},
		Data:         &caiov1.Data{Classification: "public"},
		Intent: &caiov1.Intent{Type: "chat", Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{
			Messages: []*caiov1.ChatMessage{{Role: "user", Content: "Say hello in one short sentence."}},
		}}},
		Principal: &caiov1.Principal{Subject: "uma", Tenant: "acme", Roles: []string{"user"}, TrustLevel: 5, Authenticated: true},
	}
}
