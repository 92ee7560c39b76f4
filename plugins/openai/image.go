package openai

import (
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// image asks for pictures: new ones, or those that are given changed.
func (r *request) image() (adapter.Reply, error) {
	if err := r.begin(); err != nil {
		return adapter.Reply{}, err
	}
	path := r.d.Image.Path
	for name, v := range r.Body.Fields() {
		var err error
		switch name {
		case "model":
		case "size":
			err = r.size(v.Text())
		case "media_type":
			err = r.imageFormat(v.Text())
		case "images":
			if !v.Empty() {
				path = r.d.Image.Edit
				err = r.given(v)
			}
		default:
			err = r.plain("image."+name, v)
		}
		if err != nil {
			return adapter.Reply{}, err
		}
	}
	return r.post(path, state{media: r.Body.Get("media_type").Text()})
}

func (r *request) size(size string) error {
	how := r.d.Image
	w, h, _ := strings.Cut(size, "x")
	width, _ := strconv.ParseInt(w, 10, 32)
	height, _ := strconv.ParseInt(h, 10, 32)
	switch {
	case size == "":
	case width <= 0 || height <= 0:
		return normal.Invalid("image.size", strconv.Quote(size)+" is not WIDTHxHEIGHT")
	case how.Size != "":
		r.text(how.Size, size)
	case how.Sides[0] != "":
		r.w.Key(how.Sides[0])
		r.w.Int(width)
		r.w.Key(how.Sides[1])
		r.w.Int(height)
	default:
		return r.Cannot("image.size", "the API has no such parameter; "+how.Ratio+" goes into adapter.settings.extra_body")
	}
	return nil
}

func (r *request) imageFormat(media string) error {
	if media == "" {
		return nil
	}
	if r.d.Image.Formats[media] == "" {
		return r.Cannot("image.media_type", "the API has no "+strconv.Quote(media))
	}
	r.text("output_format", r.d.Image.Formats[media])
	return nil
}

// given writes the pictures to begin with.
func (r *request) given(list json.Value) error {
	how := r.d.Image
	if how.Edit == "" {
		return adapter.Unsupported("image.images", "the API begins with no pictures")
	}
	var urls []string
	for p := range list.Items() {
		part := normal.Part{Media: p.Get("media_type").Text(), URL: p.Get("url").Text(), Data: p.Get("data").Text()}
		if part.URL == "" && part.Data == "" {
			return normal.Invalid("image.images["+strconv.Itoa(len(urls))+"]", "it has neither url nor data")
		}
		urls = append(urls, strings.Replace(how.Given, "URL", string(json.AppendString(nil, address(&part))), 1))
	}
	if len(urls) == 0 {
		return normal.Invalid("image.images", "it is no list")
	}
	if how.First != "" {
		r.w.Key(how.First)
		r.w.Raw(json.Value(urls[0]))
		if len(urls) > 1 {
			return r.Cannot("image.images[1]", "the API begins with one picture")
		}
		return nil
	}
	r.raw(`"images":[` + strings.Join(urls, ",") + `]`)
	return nil
}

func (s *state) drawn(body json.Value) (adapter.Reply, error) {
	var pictures []normal.Picture
	for item := range body.Get("data").Items() {
		p := normal.Picture{
			MediaType: item.Get("mime_type").Text(), URL: item.Get("url").Text(), Data: item.Get("b64_json").Text(),
			Revised: item.Get("revised_prompt").Text(),
		}
		if p.MediaType == "" && p.Data != "" {
			p.MediaType = s.media
			if format := body.Get("output_format").Text(); format != "" {
				p.MediaType = "image/" + format
			}
		}
		if p.URL != "" {
			p.Data = "" // one of them is the source
		}
		if !normal.IsBase64(p.Data) {
			return adapter.Reply{}, normal.Nonsense("has a picture whose b64_json is no base64")
		}
		if p.URL == "" && p.Data == "" {
			return adapter.Reply{}, normal.Nonsense("has a picture with neither url nor b64_json")
		}
		pictures = append(pictures, p)
	}
	if len(pictures) == 0 {
		return adapter.Reply{}, normal.Nonsense("has no picture")
	}
	if s.Usage.Known {
		s.Usage.Units = int64(len(pictures))
	}
	return adapter.Do(adapter.Done(s.Pictures(pictures))), nil
}
