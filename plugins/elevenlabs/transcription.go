package elevenlabs

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/audio"
	"github.com/smarthausgroup/caio/plugins/internal/multipart"
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

func (set *settings) transcription(c *normal.Call) (adapter.Reply, error) {
	if err := c.Takes("model", "audio", "url", "media_type", "language", "words", "speakers"); err != nil {
		return adapter.Reply{}, err
	}
	if set.model == "" {
		set.model = "scribe_v1"
	}
	var form multipart.Writer
	form.Field("model_id", set.model)
	if err := language(c, &form); err != nil {
		return adapter.Reply{}, err
	}
	if c.Body.Get("words").True() {
		form.Field("timestamps_granularity", "word")
	}
	if c.Body.Get("speakers").True() {
		form.Field("diarize", "true")
	}
	if err := set.extraForm(&form); err != nil {
		return adapter.Reply{}, err
	}
	if url := c.Body.Get("url").Text(); url != "" {
		form.Field("cloud_storage_url", url)
	} else {
		sound, ok := normal.Bytes(c.Body.Get("audio"))
		if !ok || len(sound) == 0 {
			return adapter.Reply{}, normal.Invalid("transcription", "it has neither audio nor url")
		}
		media := c.Body.Get("media_type").Text()
		form.File("file", normal.AudioName(media), media, sound)
	}
	var q normal.Query
	set.privacy(&q)
	body, contentType := form.Form()
	work := audio.Work{Answer: normal.Answer{Model: set.model, Warnings: c.Warnings}}
	return work.Begin(adapter.HTTP("POST", c.Base+"/v1/speech-to-text"+q.String(), body,
		adapter.Header{Name: "Content-Type", Value: contentType}, adapter.Header{Name: "Accept", Value: "application/json"}))
}

// language names the language as ISO 639 does; a region or script has no place there.
func language(c *normal.Call, form *multipart.Writer) error {
	tag := c.Body.Get("language").Text()
	primary, rest, _ := strings.Cut(tag, "-")
	if rest != "" {
		why := "the provider knows languages without region or script, here " + strconv.Quote(primary)
		if err := c.Cannot("transcription.language", why); err != nil {
			return err
		}
	}
	if primary != "" {
		form.Field("language_code", primary)
	}
	return nil
}

func (set *settings) extraForm(form *multipart.Writer) error {
	for name, v := range set.form.Fields() {
		switch name {
		case "model_id", "file", "cloud_storage_url", "language_code", "timestamps_granularity", "diarize":
			return normal.BadSetting("extra_form."+name, "is what the request itself says")
		case "webhook":
			return normal.BadSetting("extra_form.webhook", "would send the answer elsewhere")
		}
		if v.Kind() != json.String {
			return normal.BadSetting("extra_form."+name, "must be a string, as a form's fields are")
		}
		form.Field(name, v.Text())
	}
	return nil
}
