package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// redaction stands where a secret stood.
const redaction = "[redacted]"

// A Secret is a credential and the hosts it may be sent to. Printing or logging one shows neither.
type Secret struct {
	// Value is the credential itself, without "Bearer "; where it has several parts, the JSON of them that caio.v1.Auth names.
	Value string
	// Hosts are the only ones that ever receive it: "host" (at https's or http's own port) or "host:port", compared
	// without regard to case. Empty: it is sent nowhere.
	Hosts []string
}

// String hides the secret.
func (Secret) String() string { return redaction }

// GoString hides the secret.
func (Secret) GoString() string { return redaction }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue(redaction) }

// MarshalJSON hides the secret.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redaction) }

// Secrets finds credentials by the name that contracts use (adapter.auth.secret). Lookup is called for each call to a
// service, concurrently, and must not block on a network. A SecretSet is one; a vault's client may be another.
type Secrets interface {
	Lookup(name string) (Secret, bool)
}

// A SecretSet holds secrets by their normal name: upper case, every character but letters and digits replaced by '_',
// so that "openai-eu" in a contract is CAIO_SECRET_OPENAI_EU in the environment. It must not be changed once in use.
type SecretSet map[string]Secret

// Lookup implements Secrets.
func (s SecretSet) Lookup(name string) (Secret, bool) {
	secret, ok := s[secretName(name)]
	return secret, ok
}

// With returns the secrets of both sets; where both hold a name, that of over.
func (s SecretSet) With(over SecretSet) SecretSet {
	both := make(SecretSet, len(s)+len(over))
	maps.Copy(both, s)
	maps.Copy(both, over)
	return both
}

const (
	envPrefix = "CAIO_SECRET_"
	envHosts  = "_HOSTS"
)

// SecretsFromEnv reads secrets from an environment in the form of os.Environ: CAIO_SECRET_<NAME> is the value,
// CAIO_SECRET_<NAME>_HOSTS the comma separated hosts. An empty value counts as not set; a value without hosts, and
// hosts without a value, is an error, as is a value that cannot stand in an HTTP header. Only JSON may have several lines.
// All errors come at once.
func SecretsFromEnv(environ []string) (SecretSet, error) {
	values, hosts := map[string]string{}, map[string]string{}
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		name, ok := strings.CutPrefix(key, envPrefix)
		if !ok || value == "" {
			continue
		}
		if of, ok := strings.CutSuffix(name, envHosts); ok {
			hosts[secretName(of)] = value
		} else {
			values[secretName(name)] = value
		}
	}
	set := SecretSet{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if hosts[name] == "" {
			errs = append(errs, fmt.Errorf("%s%s is set but %[1]s%[2]s%s is not: name the hosts that may receive it", envPrefix, name, envHosts))
			continue
		}
		errs = append(errs, set.add(envPrefix+name, name, values[name], strings.Split(hosts[name], ",")))
		delete(hosts, name)
	}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		errs = append(errs, fmt.Errorf("%s%s%s is set but %s%s is not", envPrefix, name, envHosts, envPrefix, name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return set, nil
}

// ParseSecrets reads secrets from JSON: {"NAME": {"value": "...", "hosts": ["host", "host:port"]}}, where a value of several
// parts may be an object, too. Errors say where they are, never what stands there. All errors of the content come at once.
func ParseSecrets(raw []byte) (SecretSet, error) {
	var file map[string]struct {
		Value json.RawMessage `json:"value"`
		Hosts []string        `json:"hosts"`
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	err := dec.Decode(&file)
	values := map[string]string{}
	for key, secret := range file {
		if value := string(secret.Value); strings.HasPrefix(value, "{") || value == "" {
			values[key] = value
		} else if text := ""; json.Unmarshal(secret.Value, &text) != nil {
			err = errors.New("neither text nor an object")
		} else {
			values[key] = text
		}
	}
	if err == nil && dec.InputOffset() < int64(len(raw)) {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one document")
		}
	}
	if err != nil {
		// encoding/json quotes what it could not read, and that may be the secret.
		return nil, fmt.Errorf(`secrets: near byte %d: not of the form {"NAME": {"value": "...", "hosts": ["..."]}}`, dec.InputOffset())
	}
	set := SecretSet{}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(file)) {
		name := secretName(key)
		if _, twice := set[name]; twice {
			errs = append(errs, fmt.Errorf("secret %q: another name in the file differs only in case or punctuation", key))
			continue
		}
		errs = append(errs, set.add(fmt.Sprintf("secret %q", key), name, values[key], file[key].Hosts))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return set, nil
}

// add checks one secret and keeps it; where names its origin in errors.
func (s SecretSet) add(where, name, value string, hosts []string) error {
	if b := new(bytes.Buffer); strings.HasPrefix(strings.TrimSpace(value), "{") && json.Compact(b, []byte(value)) == nil {
		value = b.String()
	}
	if value == "" || !validValue(value) || value != strings.TrimSpace(value) {
		return fmt.Errorf("%s: the value must be a line of visible characters, or JSON", where)
	}
	secret := Secret{Value: value}
	for _, host := range hosts {
		if host = strings.ToLower(strings.TrimSpace(host)); host == "" {
			continue
		}
		if err := checkHostEntry(host); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		secret.Hosts = append(secret.Hosts, host)
	}
	if len(secret.Hosts) == 0 {
		return fmt.Errorf("%s: no hosts are named that may receive it", where)
	}
	s[name] = secret
	return nil
}

// secretName returns the normal form of a secret's name.
func secretName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}
