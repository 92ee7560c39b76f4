package adapter

import "strings"

// Practice is what a fresh guest does before its image is taken: every call begins with that image, so what a language sets up
// when it is first needed, stacks that grow, buffers, tables of its libraries, would be set up in every call anew.

// practiceShare is what part of a call's fuel one step of practice may burn: a module of 64 adapters that loop must not hold up
// a start for a minute.
const practiceShare = 50

// practise runs what a first request would, for every adapter. The first call that fails ends it with its *GuestError; the instance is
// not fit to be an image then. What the adapters reply is of no interest, most will say that their settings are missing.
func (in *instance) practise() error {
	in.thrift = practiceShare
	defer func() { in.thrift = 1 }()
	answer := Event{Kind: KindResponse, Status: 200, Body: []byte(`{}`)}
	for range 2 { // what the first call allocated is in place for the second
		for _, info := range in.module.adapters {
			start := practiceEvent()
			reply, err := in.step(info.Name, nil, &start)
			if err != nil {
				return err
			}
			if n := len(reply.Actions); n == 0 || reply.Actions[n-1].Kind != ActionHTTP {
				continue
			}
			if _, err := in.step(info.Name, reply.State, &answer); err != nil {
				return err
			}
		}
	}
	return in.tidy()
}

// tidy lets a guest that wants to put its memory in order before its image is taken, and asks it for the room into which most
// calls will be written, so that they need not ask: entering a Go guest costs as much as a small step.
func (in *instance) tidy() error {
	if settle := in.guest.ExportedFunction("caio_settle"); settle != nil {
		in.refuel()
		if err := in.call(settle); err != nil {
			return err
		}
	}
	in.refuel()
	in.stack[0] = roomBytes
	if err := in.call(in.alloc); err != nil {
		return err
	}
	in.module.room = uint32(in.stack[0])
	return nil
}

// roomBytes is how long a call document may be that is written where most are.
const roomBytes = 64 << 10

// practiceEvent is a chat of 2 KB for a service that is not there.
func practiceEvent() Event {
	text := strings.Repeat("The five boxing wizards jump quickly. ", 52)
	return Event{Kind: KindStart,
		Intent:   []byte(`{"type":"chat","chat":{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"` + text + `"}],"max_tokens":100,"temperature":0.5}}`),
		Contract: []byte(`{"service_id":"practice","base_url":"https://practice.invalid/v1","endpoints":[],"settings":{"model":"m"}}`),
	}
}
