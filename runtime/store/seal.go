package store

// seal appends what encode appends, encrypted if the store is.
func (s *Store) seal(b []byte, encode func([]byte) []byte) []byte { return encode(b) }

// unseal returns what seal was given.
func (s *Store) unseal(b []byte) ([]byte, error) { return b, nil }
