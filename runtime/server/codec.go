package server

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/smarthausgroup/caio/schema"
)

// codecs are what the server speaks: binary protobuf, and JSON in the one canonical form of the house (proto field
// names, sorted keys), strict about what it reads. JSON is registered twice because connect looks the charset up as
// part of the name.
func codecs() []connect.HandlerOption {
	return []connect.HandlerOption{
		connect.WithCodec(binaryCodec{}),
		connect.WithCodec(jsonCodec{"json"}),
		connect.WithCodec(jsonCodec{"json; charset=utf-8"}),
	}
}

// understood serves h, refusing bodies of a type that no codec reads: connect's own answer to them is empty, and the
// first thing many send is a form, because curl does unless it is told otherwise.
func understood(h http.Handler, writer *connect.ErrorWriter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := r.Header.Get("Content-Type")
		if r.Method != http.MethodPost || isRPC(sent) {
			h.ServeHTTP(w, r)
			return
		}
		err := newError(codeInvalidRequest, stageRequest, "a body of type "+readable(strconv.Quote(sent))+" is not understood",
			"send 'Content-Type: application/json', or speak Connect, gRPC or gRPC-Web")
		// Nothing can be done about a caller that is gone.
		_ = writer.Write(w, r, err)
	})
}

// isRPC tells whether a body of this type is JSON or protobuf in one of the protocols.
func isRPC(contentType string) bool {
	name, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch strings.TrimPrefix(name, "application/") {
	case "json", "proto", "connect+json", "connect+proto", "grpc", "grpc+json", "grpc+proto",
		"grpc-web", "grpc-web+json", "grpc-web+proto":
		return true
	}
	return false
}

// jsonCodec reads and writes JSON. The zero value has no name and is of no use.
type jsonCodec struct{ name string }

func (c jsonCodec) Name() string   { return c.name }
func (c jsonCodec) IsBinary() bool { return false }

func (c jsonCodec) Marshal(message any) ([]byte, error) {
	m, err := protoMessage(message)
	if err != nil {
		return nil, err
	}
	return schema.JSON(m)
}

func (c jsonCodec) MarshalStable(message any) ([]byte, error) { return c.Marshal(message) }

func (c jsonCodec) Unmarshal(raw []byte, message any) error {
	m, err := protoMessage(message)
	if err != nil {
		return err
	}
	if len(raw) == 0 {
		return poison(m, errors.New("the body is empty: send a JSON object, {} at least"))
	}
	if err := schema.ParseJSON(raw, m); err != nil {
		return poison(m, err)
	}
	return nil
}

// binaryCodec reads and writes binary protobuf. Fields it does not know are dropped: nothing here passes them on, and
// what is not understood must enter neither a digest nor a trace.
type binaryCodec struct{}

func (binaryCodec) Name() string   { return "proto" }
func (binaryCodec) IsBinary() bool { return true }

func (binaryCodec) Marshal(message any) ([]byte, error) {
	return binaryCodec{}.MarshalAppend(nil, message)
}

func (binaryCodec) MarshalAppend(dst []byte, message any) ([]byte, error) {
	m, err := protoMessage(message)
	if err != nil {
		return nil, err
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
}

func (binaryCodec) MarshalStable(message any) ([]byte, error) {
	m, err := protoMessage(message)
	if err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func (binaryCodec) Unmarshal(raw []byte, message any) error {
	m, err := protoMessage(message)
	if err != nil {
		return err
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, m); err != nil {
		return poison(m, errors.New("the body is not a protobuf message of this type"))
	}
	return nil
}

func protoMessage(message any) (proto.Message, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a protobuf message", message)
	}
	return m, nil
}

// poisonField is the number under which a message that could not be read carries why. It is the highest there is, and
// cannot come from outside: both codecs drop what they do not know.
const poisonField = protowire.MaxValidNumber

// poison empties m, leaves the reason in it and reports success. Connect reads a unary message before any interceptor
// runs and turns a codec's error into one without details; every error of this server has one, so the reason travels
// in the message to the first interceptor, which takes it out with poisoned.
func poison(m proto.Message, why error) error {
	proto.Reset(m)
	raw := protowire.AppendTag(nil, poisonField, protowire.BytesType)
	raw = protowire.AppendString(raw, readable(why.Error()))
	m.ProtoReflect().SetUnknown(protoreflect.RawFields(raw))
	return nil
}

// poisoned returns why message could not be read, or nil.
func poisoned(message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return nil
	}
	raw := m.ProtoReflect().GetUnknown()
	if len(raw) == 0 {
		return nil
	}
	number, _, n := protowire.ConsumeTag(raw)
	if n < 0 || number != poisonField {
		return nil
	}
	why, n := protowire.ConsumeString(raw[n:])
	if n < 0 {
		return nil
	}
	return newError(codeInvalidRequest, stageRequest, why, hintSchema)
}

// readable is an error's text for the one who sent the message: without the prefix that protobuf varies from build to build, and
// short, because it repeats the value it could not read and that may be as long as the body.
func readable(text string) string {
	const limit = 300
	text = strings.ReplaceAll(text, "\u00a0", " ")
	text = strings.Replace(text, "proto: ", "", 1)
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return strings.ToValidUTF8(text, "?")
}
