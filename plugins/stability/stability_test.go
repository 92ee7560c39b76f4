package stability_test

import (
	"fmt"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/stability"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(stability.Adapter{}, "https://api.stability.ai", settings, intent, false)
}

func Example() {
	call := begin(`{"model":"sdxl"}`, `{"image":{"prompt":"a lighthouse","negative_prompt":"people","size":"512x768","count":2,"seed":0}}`).Last()
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://api.stability.ai/v1/generation/sdxl/text-to-image
	// {"text_prompts":[{"text":"a lighthouse","weight":1},{"text":"people","weight":-1}],"height":768,"width":512,"samples":2,"seed":0}
}

func TestTheSecondInterfaceIsAskedByForms(t *testing.T) {
	for model, row := range map[string]struct{ path, fields string }{
		"core":        {"core", "map[aspect_ratio:[16:9] negative_prompt:[rain] output_format:[webp] prompt:[sun] seed:[7]]"},
		"sd3.5-large": {"sd3", "map[aspect_ratio:[16:9] model:[sd3.5-large] negative_prompt:[rain] output_format:[webp] prompt:[sun] seed:[7]]"},
	} {
		call := begin(`{"extra_form":{"aspect_ratio":"16:9"}}`, `{"image":{"model":"`+model+`","prompt":"sun","negative_prompt":"rain","media_type":"image/webp","seed":7,"count":1}}`).Last()
		if call.Kind != adapter.ActionHTTP || call.URL != "https://api.stability.ai/v2beta/stable-image/generate/"+row.path {
			t.Fatalf("%s: %+v", model, call)
		}
		_, params, _ := mime.ParseMediaType(call.Headers[0].Value)
		form, err := multipart.NewReader(strings.NewReader(string(call.Body)), params["boundary"]).ReadForm(1 << 20)
		if err != nil || fmt.Sprint(form.Value) != row.fields {
			t.Errorf("%s: %v, %v", model, form, err)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":     {`{}`, `{"image":{"prompt":"x"}}`, "image.model: neither"},
		"size":         {`{"model":"e"}`, `{"image":{"prompt":"x","size":"500x512"}}`, "image.size: the provider draws in steps of 64"},
		"size of core": {`{"model":"core"}`, `{"image":{"prompt":"x","size":"512x512"}}`, "image.size: the provider takes a ratio"},
		"count":        {`{"model":"e"}`, `{"image":{"prompt":"x","count":11}}`, "image.count: "},
		"count, core":  {`{"model":"core"}`, `{"image":{"prompt":"x","count":2}}`, "image.count: "},
		"media":        {`{"model":"e"}`, `{"image":{"prompt":"x","media_type":"image/webp"}}`, "image.media_type: "},
		"quality":      {`{"model":"e"}`, `{"image":{"prompt":"x","quality":"hd"}}`, "image.quality: "},
		"pictures":     {`{"model":"e"}`, `{"image":{"prompt":"x","images":[{"media_type":"image/png","data":"AA=="}]}}`, "image.images: "},
		"seed":         {`{"model":"e"}`, `{"image":{"prompt":"x","seed":-1}}`, "image.seed: "},
		"clash":        {`{"model":"e","extra_body":{"text_prompts":[]}}`, `{"image":{"prompt":"x"}}`, "extra_body.text_prompts"},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || a.Code != adapter.TransformationFailed || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	call := begin(`{"model":"e"}`, `{"unsupported":"warn","image":{"prompt":"x","seed":-1,"count":11,"size":"1x1"}}`).Last()
	if want := `{"text_prompts":[{"text":"x","weight":1}],"samples":10}`; string(call.Body) != want {
		t.Errorf("%s", call.Body)
	}
}

func TestAnswers(t *testing.T) {
	const png = "iVBORw0KGgoAAAANSUhEUg=="
	for name, row := range map[string]struct {
		status             int
		body, want, reason string
	}{
		"list":           {200, `[{"base64":"` + png + `","finishReason":"SUCCESS","seed":5},{"base64":"AAAA","finishReason":"SUCCESS","seed":4294967295}]`, `{"image":{"pictures":[{"media_type":"image/png","data":"` + png + `"},{"data":"AAAA"}]},"metadata":{"seeds":[5,4294967295]},"usage":{"input_tokens":0,"output_tokens":0,"units":2},"model":"e"}`, ""},
		"artifacts":      {200, `{"artifacts":[{"base64":"/9j/4AAQSkZJRg==","finishReason":null}]}`, `{"image":{"pictures":[{"media_type":"image/jpeg","data":"/9j/4AAQSkZJRg=="}]},"usage":{"input_tokens":0,"output_tokens":0,"units":1},"model":"e"}`, ""},
		"single":         {200, `{"image":"UklGRgAAAABXRUJQVlA4","finish_reason":"SUCCESS","seed":1}`, `{"image":{"pictures":[{"media_type":"image/webp","data":"UklGRgAAAABXRUJQVlA4"}]},"metadata":{"seeds":[1]},"usage":{"input_tokens":0,"output_tokens":0,"units":1},"model":"e"}`, ""},
		"one filtered":   {200, `[{"base64":"AAAA","finishReason":"SUCCESS"},{"base64":"AAAA","finishReason":"CONTENT_FILTERED"}]`, "blurred", adapter.ContentFiltered},
		"filtered":       {200, `{"image":"AAAA","finish_reason":"CONTENT_FILTERED"}`, "blurred", adapter.ContentFiltered},
		"failed":         {200, `[{"finishReason":"ERROR"}]`, "ERROR", ""},
		"none":           {200, `[]`, "no picture", ""},
		"error in a 200": {200, `{"message":"it broke"}`, "it broke", ""},
		"moderated":      {403, `{"id":"i","name":"content_moderation","errors":["Your request was flagged"]}`, "content filter refused", adapter.ContentFiltered},
		"bad request":    {400, `{"id":"i","name":"bad_request","message":"height: must be a multiple of 64"}`, "multiple of 64", adapter.BadRequest},
		"bad key":        {401, `{"id":"i","name":"unauthorized","message":"sk-1 is wrong"}`, "credentials", adapter.BadKey},
		"no credit":      {402, `{"id":"i","name":"payment_required","errors":["You lack sufficient credits"]}`, "status 402", adapter.OutOfCredit},
	} {
		a := begin(`{"model":"e"}`, `{"image":{"prompt":"x"}}`).Respond(row.status, "application/json", row.body)
		if failed := a.Kind == adapter.ActionFail; failed && !strings.Contains(a.Message, row.want) || !failed && string(a.Data) != row.want || a.Reason != row.reason {
			t.Errorf("%s: %+v %s", name, a, a.Data)
		}
	}
}
