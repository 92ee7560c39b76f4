package json

// Members are an object's fields, found once. They are for objects of which many fields are asked for, and most are not there, as
// in each frame of a stream: Get on a Value looks through the whole text each time.
type Members []Member

// A Member is a field, as it stands in the text.
type Member struct {
	name  []byte // between the quotes
	Value Value
}

// Members appends v's fields to buf and returns it; nothing for any other value.
//
//	var buf [16]json.Member
//	fields := v.Members(buf[:0])
func (v Value) Members(buf []Member) Members {
	if v.Kind() != Object {
		return buf
	}
	for at := space(v, 1); v[at] != '}'; {
		end := skipString(v, at)
		name := v[at+1 : end-1]
		at = space(v, space(v, end)+1)
		end = skip(v, at)
		buf = append(buf, Member{name, v[at:end:end]})
		if at = space(v, end); v[at] == ',' {
			at = space(v, at+1)
		}
	}
	return buf
}

// Get returns the field key: the first, should it come twice.
func (o Members) Get(key string) Value {
	for i := range o {
		if is(o[i].name, key) {
			return o[i].Value
		}
	}
	return nil
}

// Pointer is Value.Pointer, of the object.
func (o Members) Pointer(pointer string) Value {
	if pointer == "" || pointer[0] != '/' {
		return nil
	}
	token, rest := cutToken(pointer[1:])
	return o.Get(token).Pointer(rest)
}
