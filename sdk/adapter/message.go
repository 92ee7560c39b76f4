package adapter

import (
	"errors"
	"strconv"
)

// call is what the host hands to caio_step.
type call struct {
	adapter string
	state   []byte
	event   Event
}

func decodeCall(doc []byte) (c call, err error) {
	d := Decoder{Rest: doc}
	var seen fields
	for d.Next() {
		switch d.Tag {
		case 1:
			c.adapter = d.Text()
		case 2:
			c.state = d.Value
		case 3:
			c.event, d.Err = decodeEvent(d.Value)
		default:
			d.Skip()
			continue
		}
		seen.once(&d)
	}
	return c, within("call", d.Err)
}

func decodeEvent(doc []byte) (ev Event, err error) {
	d := Decoder{Rest: doc}
	var seen fields
	for d.Next() {
		switch d.Tag {
		case 1:
			kind := d.Number()
			if kind == 0 || kind > 255 {
				d.fail("is no kind of event")
			}
			ev.Kind = EventKind(kind)
		case 2:
			ev.Intent = d.Value
		case 3:
			ev.Contract = d.Value
		case 4:
			ev.Stream = d.Flag()
		case 5:
			ev.Status = status(&d)
		case 6:
			var h Header
			h, d.Err = decodeHeader(d.Value)
			ev.Headers = append(ev.Headers, h)
			continue // a list
		case 7:
			ev.Body = d.Value
		case 8:
			ev.Name = d.Text()
		case 9:
			ev.Data = d.Value
		case 10 | Critical:
			var f Frame
			f, d.Err = decodeFrame(d.Value)
			ev.more = append(ev.more, f)
			continue // a list
		default:
			d.Skip()
			continue
		}
		seen.once(&d)
	}
	return ev, within("event", d.Err)
}

func decodeFrame(doc []byte) (f Frame, err error) {
	d := Decoder{Rest: doc}
	var seen fields
	for d.Next() {
		switch d.Tag {
		case 8:
			f.Name = d.Text()
		case 9:
			f.Data = d.Value
		default:
			d.Skip()
			continue
		}
		seen.once(&d)
	}
	return f, within("frame", d.Err)
}

func decodeHeader(doc []byte) (h Header, err error) {
	d := Decoder{Rest: doc}
	var seen fields
	for d.Next() {
		switch d.Tag {
		case 1:
			h.Name = d.Text()
		case 2:
			h.Value = d.Text()
		default:
			d.Skip()
			continue
		}
		seen.once(&d)
	}
	return h, within("header", d.Err)
}

func encodeReply(e *Encoder, r Reply) {
	e.Data(1, r.State)
	for i := range r.Actions {
		mark := e.Open(2)
		encodeAction(e, &r.Actions[i])
		e.Close(mark)
	}
}

func encodeAction(e *Encoder, a *Action) {
	e.Number(1, uint32(a.Kind))
	e.Text(2, a.Method)
	e.Text(3, a.URL)
	for _, h := range a.Headers {
		mark := e.Open(4)
		e.Text(1, h.Name)
		e.Text(2, h.Value)
		e.Close(mark)
	}
	e.Data(5, a.Body)
	e.Text(6, a.Framing)
	e.Number(7, a.DelayMS)
	e.Data(8, a.Data)
	e.Text(9, a.Code)
	e.Text(10, a.Message)
	e.Number(11, uint32(a.Status))
	e.Flag(12, a.Retryable)
	e.Text(13, a.Reason)
}

func encodeInfos(e *Encoder, infos []Info) {
	for _, info := range infos {
		mark := e.Open(1)
		e.Text(1, info.Name)
		e.Text(2, info.Version)
		e.Text(3, info.Description)
		e.Flag(4, true) // Run takes several frames at once
		e.Close(mark)
	}
}

// fields remembers which tags below 64 a document brought, since none but lists may come twice: two readers that take
// different ones of two values would disagree about what was said.
type fields uint64

func (f *fields) once(d *Decoder) {
	if d.Tag < 64 {
		if bit := fields(1) << d.Tag; *f&bit != 0 {
			d.fail("comes twice")
		} else {
			*f |= bit
		}
	}
}

func status(d *Decoder) int {
	n := d.Number()
	if n > 999 {
		d.fail("is no HTTP status")
		return 0
	}
	return int(n)
}

func within(what string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(what + ": " + err.Error())
}

// unknownEvent is how a reply to an event of a later ABI begins.
func unknownEvent(kind EventKind) error {
	return errors.New("event of kind " + strconv.Itoa(int(kind)) + " is not known to this adapter")
}
