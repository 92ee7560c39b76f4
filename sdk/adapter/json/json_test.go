package json_test

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func Example() {
	v, _ := json.Parse([]byte(`{"choices": [{"message": {"content": "Bonjour"}}], "usage": {"total_tokens": 7}}`))
	for choice := range v.Get("choices").Items() {
		fmt.Println(choice.Get("message").Get("content").Text())
	}
	n, _ := v.Pointer("/usage/total_tokens").Int()
	fmt.Println(n)
	// Output:
	// Bonjour
	// 7
}

func ExampleWriter() {
	var w json.Writer
	w.Begin('{')
	w.Key("model")
	w.String("a \"quoted\" name")
	w.Key("stop")
	w.Begin('[')
	w.String("\n")
	w.Int(3)
	w.End(']')
	w.Key("temperature")
	w.Float(0.7)
	w.Key("schema")
	w.Raw(json.Value(`{"type":"object"}`))
	w.End('}')
	fmt.Println(string(w.Bytes()))
	// Output: {"model":"a \"quoted\" name","stop":["\n",3],"temperature":0.7,"schema":{"type":"object"}}
}

func parse(t *testing.T, text string) json.Value {
	t.Helper()
	v, err := json.Parse([]byte(text))
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return v
}

func TestPointerFollowsRFC6901(t *testing.T) {
	doc := parse(t, ` { "foo" : ["bar", {"deep":[1, 2]} ], "": 0, "a/b": 1, "m~n": 8, "~1": 9 } `)
	for pointer, want := range map[string]string{
		"": string(doc), "/foo/0": `"bar"`, "/foo/1/deep/1": "2", "/": "0", "/a~1b": "1", "/m~0n": "8", "/~01": "9",
		"/foo/2": "", "/foo/01": "", "/foo/-": "", "/none": "", "foo": "", "/foo/0/x": "", "/foo/1e0": "",
	} {
		if got := string(doc.Pointer(pointer)); got != want {
			t.Errorf("%q: got %s, want %s", pointer, got, want)
		}
	}
}

func TestNumbersKeepTheirMeaning(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "-7": -7, "3.0": 3, "3e2": 300, "9007199254740993": 9007199254740993} {
		if n, ok := parse(t, text).Int(); !ok || n != want {
			t.Errorf("%s: got %d, %v", text, n, ok)
		}
	}
	for _, text := range []string{"0.5", "1e300", "1e999", `"3"`, "null", "99999999999999999999"} {
		if n, ok := parse(t, text).Int(); ok {
			t.Errorf("%s: taken for the whole number %d", text, n)
		}
	}
	if _, ok := parse(t, "1e999").Float(); ok {
		t.Error("1e999 was taken for a float64")
	}
}

func TestEmptySaysNothing(t *testing.T) {
	for _, text := range []string{"null", "false", "0", "0.0", "-0", `""`, "[ ]", "{}", "[]", "{ \n}"} {
		if !parse(t, text).Empty() {
			t.Errorf("%s: not empty", text)
		}
	}
	for _, text := range []string{"true", "1", "1e999", `" "`, "[0]", `{"a":null}`} {
		if parse(t, text).Empty() {
			t.Errorf("%s: empty", text)
		}
	}
	if !json.Value(nil).Empty() || json.Value(nil).Exists() || parse(t, "null").Exists() {
		t.Error("what is absent or null exists")
	}
}

func TestNestingIsBounded(t *testing.T) {
	if _, err := json.Parse([]byte(strings.Repeat("[", 1<<20))); err == nil {
		t.Error("a million open brackets were accepted")
	}
	deep := strings.Repeat("[", 900) + strings.Repeat("]", 900)
	parse(t, deep)
}

func TestEscapedNamesAreFound(t *testing.T) {
	v, err := json.Parse([]byte(`{"a\\n":1,"\u0061b":2,"a\"":3,"":4,"ab":5}`))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{`a\n`: "1", "ab": "2", `a"`: "3", "": "4", "a\n": "", `\u0061b`: ""} {
		if got := v.Get(key); string(got) != want {
			t.Errorf("%q: %s, want %s", key, got, want)
		}
	}
}

// FuzzParse holds the package equal to encoding/json: what is JSON, what it says, and what is written of it.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-2.5e+3,true,false,null,"\u00e9\ud83d\ude00\ud800 \\ \/ \b\f\n\r\t"],"b":{}}`, ` [ ] `, `0`, `-`, `01`, `1.`, `1e`, `"`,
		`"\x"`, `"\u12"`, `{"a"}`, `{"a":}`, `{,}`, `[1,]`, `[1 2]`, `tru`, `nul`, "\"\xff\"", "\"\x01\"", `{} {}`, "", " ", `{"a":1,"a":2}`, `"\ud800\u0041"`, `"\ud83d\ud83d\ude00"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := json.Parse(text)
		// encoding/json takes bytes that are not UTF-8 and ten times the depth; this package is stricter there.
		if valid := stdjson.Valid(text); valid != (err == nil) {
			if !valid || bytes.Equal(bytes.ToValidUTF8(text, []byte("?")), text) && !strings.Contains(err.Error(), "deep") {
				t.Fatalf("%q: encoding/json says %v, Parse %v", text, valid, err)
			}
		}
		if err != nil {
			return
		}
		dec := stdjson.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := decode(v); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, want %#v", text, got, want)
		}
		var w json.Writer
		rewrite(&w, v)
		again, err := json.Parse(w.Bytes())
		if err != nil || !reflect.DeepEqual(decode(again), want) {
			t.Fatalf("%q: written as %q, %v", text, w.Bytes(), err)
		}
		if v.Exists() == v.Empty() && !v.Empty() {
			t.Fatalf("%q: exists and is empty", text)
		}
	})
}

// decode builds what encoding/json would of v.
func decode(v json.Value) any {
	switch v.Kind() {
	case json.Bool:
		return v.True()
	case json.Number:
		return stdjson.Number(v)
	case json.String:
		return v.Text()
	case json.Array:
		list := []any{}
		for item := range v.Items() {
			list = append(list, decode(item))
		}
		return list
	case json.Object:
		object := map[string]any{}
		for name, field := range v.Fields() {
			object[name] = decode(field)
		}
		return object
	}
	return nil
}

func rewrite(w *json.Writer, v json.Value) {
	switch v.Kind() {
	case json.String:
		w.String(v.Text())
	case json.Array:
		w.Begin('[')
		for item := range v.Items() {
			rewrite(w, item)
		}
		w.End(']')
	case json.Object:
		w.Begin('{')
		for name, field := range v.Fields() {
			w.Key(name)
			rewrite(w, field)
		}
		w.End('}')
	default:
		w.Raw(v)
	}
}
