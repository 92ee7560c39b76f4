package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// speech writes a request for text to be spoken, which comes as PCM.
func (s *settings) speech(c *normal.Call, w *json.Writer) error {
	var config json.Writer
	config.Begin('{')
	modality(&config, "AUDIO")
	for name, v := range c.Body.Fields() {
		switch name {
		case "model", "text":
		case "voice":
			if !v.Empty() {
				config.Key("speechConfig")
				config.Begin('{')
				config.Key("voiceConfig")
				config.Begin('{')
				config.Key("prebuiltVoiceConfig")
				config.Begin('{')
				config.Key("voiceName")
				config.Raw(v)
				config.End('}')
				config.End('}')
				config.End('}')
			}
		case "media_type":
			if media := strings.ToLower(v.Text()); media != "" && media != "audio/l16" && media != "audio/pcm" {
				if err := c.Cannot("speech.media_type", "the API speaks audio/L16 only"); err != nil {
					return err
				}
			}
		default:
			if err := cannot(c, name, v); err != nil {
				return err
			}
		}
	}
	return s.generate(w, &config, c.Body.Get("text").Text(), nil, c)
}

// image writes a request for a picture.
func (s *settings) image(c *normal.Call, w *json.Writer) error {
	var config json.Writer
	config.Begin('{')
	modality(&config, "TEXT", "IMAGE")
	ratio, size := "", ""
	var images json.Value
	for name, v := range c.Body.Fields() {
		why := ""
		switch name {
		case "model", "prompt":
		case "images":
			images = v
		case "seed":
			if v.Exists() {
				config.Key("seed")
				config.Raw(v)
			}
		case "size":
			if ratio = aspect(v.Text()); ratio == "" && !v.Empty() {
				why = "the API takes the sizes that go with its aspect ratios, such as 1024x1024, 1248x832, 832x1248, 1344x768, 768x1344"
			}
		case "quality":
			size = v.Text() // "1K", "2K", "4K"
		case "count":
			if n, ok := v.Int(); ok && n != 1 {
				why = "the API draws one picture a call"
			}
		case "media_type":
			if media := v.Text(); media != "" && media != "image/png" {
				why = "the API draws image/png only"
			}
		default:
			if err := cannot(c, name, v); err != nil {
				return err
			}
		}
		if why != "" {
			if err := c.Cannot("image."+name, why); err != nil {
				return err
			}
		}
	}
	if ratio != "" || size != "" {
		config.Key("imageConfig")
		config.Begin('{')
		if ratio != "" {
			config.Key("aspectRatio")
			config.String(ratio)
		}
		if size != "" {
			config.Key("imageSize")
			config.String(size)
		}
		config.End('}')
	}
	return s.generate(w, &config, c.Body.Get("prompt").Text(), images, c)
}

func modality(config *json.Writer, names ...string) {
	config.Key("responseModalities")
	config.Begin('[')
	for _, name := range names {
		config.String(name)
	}
	config.End(']')
}

func cannot(c *normal.Call, name string, v json.Value) error {
	if v.Empty() {
		return nil
	}
	return c.Cannot(c.Kind+"."+name, "the API has no such parameter")
}

// generate writes a request of one turn: pictures to begin with, if any, and a text.
func (s *settings) generate(w, config *json.Writer, text string, images json.Value, c *normal.Call) error {
	w.Begin('{')
	w.Key("contents")
	w.Begin('[')
	beginTurn(w, "user")
	parts, err := c.Parts(c.Kind+".images", images)
	if err != nil {
		return err
	}
	for i := range parts {
		if err := s.part(c, w, &parts[i]); err != nil {
			return err
		}
	}
	textPart(w, text, "")
	endTurn(w)
	w.End(']')
	if err := s.endConfig(w, config); err != nil {
		return err
	}
	w.End('}')
	return nil
}

// aspect returns the aspect ratio whose picture has that size; "": there is none.
func aspect(size string) string {
	switch size {
	case "1024x1024":
		return "1:1"
	case "832x1248":
		return "2:3"
	case "1248x832":
		return "3:2"
	case "864x1184":
		return "3:4"
	case "1184x864":
		return "4:3"
	case "896x1152":
		return "4:5"
	case "1152x896":
		return "5:4"
	case "768x1344":
		return "9:16"
	case "1344x768":
		return "16:9"
	case "1536x672":
		return "21:9"
	}
	return ""
}

// audio ends with what was spoken. It may come in several parts.
func (s *state) audio() (adapter.Reply, error) {
	var sound []byte
	media := ""
	for _, m := range s.answer.Media {
		piece, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil || !strings.HasPrefix(m.Type, "audio/") {
			return adapter.Reply{}, normal.Nonsense("has a part that is no audio in base64")
		}
		sound, media = append(sound, piece...), m.Type
	}
	if len(sound) == 0 {
		return adapter.Reply{}, s.nothing("audio")
	}
	return adapter.Do(adapter.Done(s.answer.Result("speech", func(w *json.Writer) {
		w.Key("audio")
		w.String(base64.StdEncoding.EncodeToString(sound))
		w.Key("media_type")
		w.String(media)
	}))), nil
}

// pictures ends with what was drawn; what the model said beside it is metadata.text.
func (s *state) pictures() (adapter.Reply, error) {
	if len(s.answer.Media) == 0 {
		return adapter.Reply{}, s.nothing("picture")
	}
	if len(s.answer.Text) > 0 {
		s.answer.Note("text", json.AppendString(nil, string(s.answer.Text)))
	}
	return adapter.Do(adapter.Done(s.answer.Result("image", func(w *json.Writer) {
		w.Key("pictures")
		w.Begin('[')
		for _, m := range s.answer.Media {
			w.Begin('{')
			w.Key("media_type")
			w.String(m.Type)
			w.Key("data")
			w.String(m.Data)
			w.End('}')
		}
		w.End(']')
	}))), nil
}

// nothing is an answer without what was asked for.
func (s *state) nothing(what string) error {
	if s.answer.Finish == "content_filter" {
		return &adapter.Failure{Code: adapter.ExecutionFailed, Reason: adapter.ContentFiltered, Message: "the provider's content filter refused"}
	}
	return normal.Nonsense("has no " + what + "; it says " + normal.Clip(string(s.answer.Text)))
}
