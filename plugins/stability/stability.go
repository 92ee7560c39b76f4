// Package stability is the adapter "stability": pictures by Stability AI.
//
// The model says which of the provider's interfaces is spoken. "core", "ultra" and those that begin with "sd3" are asked by
// v2beta/stable-image, whose requests are forms and which gives one picture; any other is an engine of v1, such as
// "stable-diffusion-xl-1024-v1-0". v1 is held against the provider's own document, v2beta is written from its manual alone.
//
// # Settings
//
// A setting that is not listed is an error.
//
//	model, models  the model or engine; required where requests name none
//	extra_body     v1: fields that are added to the body, such as {"steps": 30, "cfg_scale": 7}
//	extra_form     v2beta: fields of text that are added to the form, such as {"aspect_ratio": "16:9"}
//
// A negative prompt is a text of weight -1 to v1. A size goes to v1 in steps of 64; v2beta takes none, only a ratio. A picture
// that the provider's filter has made unrecognizable is an error, also beside others: what was asked for did not come. Seeds
// are in the metadata.
package stability

import (
	"errors"
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/multipart"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Stability AI; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "stability", Version: "1.0.0", Description: "Stability AI: pictures"}
}

// Step asks at the start, and reads the answer.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	switch ev.Kind {
	case adapter.KindStart:
		return start(ev)
	case adapter.KindResponse:
		return finish(state, ev)
	}
	return adapter.Reply{}, errors.New("an answer was expected, not frames or timers")
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "image")
	if err != nil {
		return adapter.Reply{}, err
	}
	body, form := c.Settings.Object("extra_body"), c.Settings.Object("extra_form")
	model, err := c.Model()
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	if err := c.Takes("model", "prompt", "negative_prompt", "seed", "size", "count", "media_type"); err != nil {
		return adapter.Reply{}, err
	}
	if s := c.Body.Get("seed"); s.Kind() == json.Number {
		if n, _ := s.Int(); n < 0 {
			if err := c.Cannot("image.seed", "the provider takes none below 0"); err != nil {
				return adapter.Reply{}, err
			}
		}
	}
	var call adapter.Action
	if model == "core" || model == "ultra" || strings.HasPrefix(model, "sd3") {
		call, err = v2(c, model, form)
	} else {
		call, err = v1(c, model, body)
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	a := normal.Answer{Model: model, Warnings: c.Warnings}
	var e adapter.Encoder
	a.Encode(&e)
	return adapter.Reply{State: e.Bytes(), Actions: []adapter.Action{call}}, nil
}

// seed returns the seed as it was written; nil where there is none that the provider takes.
func seed(c *normal.Call) json.Value {
	if n, ok := c.Body.Get("seed").Int(); ok && n >= 0 {
		return c.Body.Get("seed")
	}
	return nil
}

// v1 asks an engine of v1.
func v1(c *normal.Call, engine string, extra json.Value) (adapter.Action, error) {
	if media := c.Body.Get("media_type").Text(); media != "" && media != "image/png" {
		if err := c.Cannot("image.media_type", "the provider gives image/png"); err != nil {
			return adapter.Action{}, err
		}
	}
	var w json.Writer
	w.Begin('{')
	w.Key("text_prompts")
	w.Begin('[')
	prompt(&w, c.Body.Get("prompt").Text(), 1)
	if negative := c.Body.Get("negative_prompt").Text(); negative != "" {
		prompt(&w, negative, -1)
	}
	w.End(']')
	if err := size(&w, c); err != nil {
		return adapter.Action{}, err
	}
	if n, ok := c.Body.Get("count").Int(); ok {
		if n > 10 {
			if err := c.Cannot("image.count", "the provider makes at most 10 at once"); err != nil {
				return adapter.Action{}, err
			}
			n = 10
		}
		w.Key("samples")
		w.Int(n)
	}
	if s := seed(c); s != nil {
		w.Key("seed")
		w.Raw(s)
	}
	w.End('}')
	body, err := normal.Extend(w.Bytes(), "extra_body", extra)
	return normal.Post(c.Base+"/v1/generation/"+normal.Escape(engine)+"/text-to-image", body), err
}

func prompt(w *json.Writer, text string, weight int64) {
	w.Begin('{')
	w.Key("text")
	w.String(text)
	w.Key("weight")
	w.Int(weight)
	w.End('}')
}

func size(w *json.Writer, c *normal.Call) error {
	wanted := c.Body.Get("size").Text()
	if wanted == "" {
		return nil
	}
	width, height, _ := strings.Cut(wanted, "x")
	x, err := strconv.Atoi(width)
	y, err2 := strconv.Atoi(height)
	if err != nil || err2 != nil || x < 128 || y < 128 || x%64 != 0 || y%64 != 0 {
		return c.Cannot("image.size", "the provider draws in steps of 64 pixels, from 128 on")
	}
	w.Key("height")
	w.Int(int64(y))
	w.Key("width")
	w.Int(int64(x))
	return nil
}

// v2 asks a model of v2beta.
func v2(c *normal.Call, model string, extra json.Value) (adapter.Action, error) {
	if c.Body.Get("size").Text() != "" {
		if err := c.Cannot("image.size", "the provider takes a ratio here, which adapter.settings.extra_form.aspect_ratio sets"); err != nil {
			return adapter.Action{}, err
		}
	}
	if n, ok := c.Body.Get("count").Int(); ok && n > 1 {
		if err := c.Cannot("image.count", "the provider makes one at a time here"); err != nil {
			return adapter.Action{}, err
		}
	}
	var form multipart.Writer
	form.Field("prompt", c.Body.Get("prompt").Text())
	if negative := c.Body.Get("negative_prompt").Text(); negative != "" {
		form.Field("negative_prompt", negative)
	}
	if s := seed(c); s != nil {
		form.Field("seed", string(s))
	}
	switch media := c.Body.Get("media_type").Text(); media {
	case "":
	case "image/png", "image/jpeg", "image/webp":
		form.Field("output_format", media[len("image/"):])
	default:
		if err := c.Cannot("image.media_type", "the provider gives image/png, image/jpeg, image/webp"); err != nil {
			return adapter.Action{}, err
		}
	}
	endpoint := model
	if strings.HasPrefix(model, "sd3") {
		if endpoint = "sd3"; model != "sd3" {
			form.Field("model", model)
		}
	}
	for name, v := range extra.Fields() {
		switch name {
		case "prompt", "negative_prompt", "seed", "output_format", "model":
			return adapter.Action{}, normal.BadSetting("extra_form."+name, "is for the request to say")
		}
		if v.Kind() != json.String {
			return adapter.Action{}, normal.BadSetting("extra_form."+name, "must be a string, as a form's fields are")
		}
		form.Field(name, v.Text())
	}
	body, contentType := form.Form()
	return adapter.HTTP("POST", c.Base+"/v2beta/stable-image/generate/"+endpoint, body,
		adapter.Header{Name: "Content-Type", Value: contentType}, adapter.Header{Name: "Accept", Value: "application/json"}), nil
}
