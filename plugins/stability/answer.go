package stability

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// finish reads an answer: of v1 a list of pictures, by itself or as "artifacts", since the provider's document and its
// samples disagree; of v2beta one picture.
func finish(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	a, err := normal.DecodeAnswer(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	if ev.Status < 200 || ev.Status > 299 {
		return adapter.Reply{}, normal.Refusal(ev.Status, ev.Body)
	}
	body, err := json.Parse(ev.Body)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	var pictures []normal.Picture
	var seeds json.Writer
	seeds.Begin('[')
	for _, drawn := range drawings(body) {
		if err := judge(first(drawn, "finishReason", "finish_reason")); err != nil {
			return adapter.Reply{}, err
		}
		data := first(drawn, "base64", "image")
		if data == "" {
			return adapter.Reply{}, normal.Nonsense("has a picture without data")
		}
		pictures = append(pictures, normal.Picture{MediaType: mediaType(data), Data: data})
		if s := drawn.Get("seed"); s.Kind() == json.Number {
			seeds.Raw(s)
		}
	}
	if len(pictures) == 0 {
		if said, _ := normal.Complaint(body); said != "" {
			return adapter.Reply{}, normal.ErrorInside(body)
		}
		return adapter.Reply{}, normal.Nonsense("has no picture")
	}
	a.Usage = normal.Usage{Known: true, Units: int64(len(pictures))} // they are paid by the piece
	if seeds.End(']'); len(seeds.Bytes()) > 2 {
		a.Note("seeds", json.Value(seeds.Bytes()))
	}
	return adapter.Do(adapter.Done(a.Pictures(pictures))), nil
}

// drawings returns the objects that stand for pictures.
func drawings(body json.Value) (all []json.Value) {
	if first(body, "image", "finish_reason") != "" {
		return []json.Value{body}
	}
	list := body
	if body.Kind() == json.Object {
		list = body.Get("artifacts")
	}
	for v := range list.Items() {
		all = append(all, v)
	}
	return all
}

// first returns the first of these fields that holds a text.
func first(v json.Value, names ...string) string {
	for _, name := range names {
		if text := v.Get(name).Text(); text != "" {
			return text
		}
	}
	return ""
}

// judge makes an error of a picture that is none.
func judge(finish string) error {
	switch finish {
	case "CONTENT_FILTERED":
		return &adapter.Failure{Code: adapter.ExecutionFailed, Reason: adapter.ContentFiltered,
			Message: "the provider's content filter has blurred a picture: CONTENT_FILTERED"}
	case "ERROR":
		return &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the provider could not make a picture: ERROR", Retryable: true}
	}
	return nil
}

// mediaType tells a picture by its first bytes; empty if it is none that the provider makes.
func mediaType(data string) string {
	head, _ := base64.StdEncoding.DecodeString(data[:min(len(data), 16)/4*4])
	switch s := string(head); {
	case strings.HasPrefix(s, "\x89PNG"):
		return "image/png"
	case strings.HasPrefix(s, "\xff\xd8\xff"):
		return "image/jpeg"
	case strings.HasPrefix(s, "RIFF") && strings.HasPrefix(s[min(len(s), 8):], "WEBP"):
		return "image/webp"
	}
	return ""
}
