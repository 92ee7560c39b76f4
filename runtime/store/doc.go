// Package store keeps what must survive a restart: the contracts in force, the versions of the policies, the log of
// decisions, and what is remembered of executions. It is the only room that knows Badger.
//
// # What it guarantees
//
//   - A write that returned nil is on disk, synced; one that returned an error wrapping trace.ErrRefused left nothing.
//   - Services are saved with their revision in one transaction; revisions only grow, deletions included. A service's
//     history goes with it, in the same transaction.
//   - Traces lie in files of their own, which only grow (package journal): a group is there whole or not at all, and the
//     newest checkpoint is synced beside it. A log that is shorter than that, or whose tree does not lead to it, is not
//     opened. What finds them is made from them, and is made again where it is damaged or behind.
//   - Before the disk is full, writes are refused with [ErrLowSpace]: Badger writes through memory maps, and a full
//     disk would end the process with SIGBUS.
//   - [Fsck] checks all of a store that is not in use, also one that is not opened, and names what is wrong.
//   - After a write of unknown outcome nothing more is written ([ErrBroken]): a hole in Badger's log would cost
//     everything after it at the next start.
//   - [Store.Backup] is of one moment, while everything goes on. [Restore] makes a store of a whole backup or nothing, and
//     of an older one than a checkpoint that somebody has kept only if it is told to.
//   - One process uses a directory at a time ([ErrLocked]). A directory that is not a store, one of a later format, one
//     whose database was taken away: an error that says so. Damaged files: an error, never a panic.
//
// Badger's goroutines belong to the Store; [Store.Close] stops them, waits for running calls, and may be repeated.
//
//	s, err := store.Open("/var/lib/caio", store.Options{})
//	defer s.Close()
//	log, err := trace.Open(s.Traces(), trace.Options{})
//	defer log.Close() // before the store
//
// # On disk
//
//	caio-store.json   what this directory is: {"format":2,"id":"<32 hex digits>","state":"ready"}
//	LOCK              locked while a process uses the store; holds its process id
//	head              how far the store has come, as in head.go: a database that is behind it lost something
//	db/               the Badger directory of everything but traces
//	log/              the tree over the traces and its newest checkpoint, for ever: see package journal
//	fsck-*            a copy of db/ while Fsck reads it; one that a kill left is removed by the next
//	traces/20261128/  the traces of a day: 00000001.seg and so on, and
//	  index/          what they are found by: a Badger directory that can be removed, and is made again
//	  bounds.json     when its requests arrived, once the day is over; a hint
//
// state is "new" until db/ was made and holds the key `format`; a "ready" store without it has lost its database.
//
// # Key map
//
// seq and time are eight bytes, big-endian; time is nanoseconds since 1970 with the sign bit flipped, so that bytes sort
// as times do. A name is its length (two bytes, big-endian) and its bytes, so that no name runs into what follows.
//
//	M "format"                    format version (one byte), store id
//	M "revision"                  last revision of the services, eight bytes
//	V service id                  a service, as in service.go
//	H service id                  its history, as in history.go; none without the service
//	P number                      a version of the policies, as in policy.go; number has four bytes, big-endian
//	Q number                      its files; none for one that restores another's
//	X sha256 piece                what decided, as in content.go; sha256 has 32 bytes, piece four, big-endian
//	J change                      a change of the registry, as in states.go; change has eight bytes, big-endian
//	R digest                      the change after which the registry had that digest, of 32 bytes
//	M "changes"                   the last change, and the registry's digest after it
//	M "adapters"                  the installed modules of adapters, as in adapter.go
//
// In the index of a day:
//
//	M "indexed"                   one more than the last sequence that is in it, eight bytes
//	T seq                         where a trace lies, as in index.go
//	D trace id                    seq
//	F            time seq         every trace
//	A tenant     time seq         ... of a tenant
//	S service    time seq         ... without a tenant, answered by or tried with a service
//	U status     time seq         ... without a tenant, with a status
//	B tenant service time seq
//	C tenant status  time seq
//	Q request id     time seq
//	R rule           time seq     that refused a candidate or found a violation
//	X            time seq         in which a guarantee was broken
//
// Indexes are ordered by the time the request arrived, not by sequence: a request may take a minute and be numbered
// after later ones, and a range of times must be exact. For the same reason days overlap, and a listing joins them. A
// trace with a tenant has no S and U rows: a filter without tenant means every tenant, and joins their B or C. A filter
// that no index holds alone is the intersection of several.
package store
