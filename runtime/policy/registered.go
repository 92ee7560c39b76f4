package policy

// AsksRegistered tells whether any rule of s, or of a tenant's set in it, reads request.registered: what else is registered than
// the service that it judges.
func (s *Set) AsksRegistered() bool {
	return s.asks(func(read *paths) bool { return read != nil })
}

// AsksAbout tells whether any of them may read what services of a category offer.
func (s *Set) AsksAbout(category string) bool {
	return s.asks(func(read *paths) bool { return read.under(category) != nil })
}

func (s *Set) asks(about func(*paths) bool) bool {
	if about(s.read.under("request").under("registered")) {
		return true
	}
	for _, of := range s.tenants {
		if of.asks(about) {
			return true
		}
	}
	return false
}
