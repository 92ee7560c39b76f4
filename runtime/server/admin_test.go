package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/server"
	"github.com/smarthausgroup/caio/runtime/store"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// backedUp returns what Backup sends.
func backedUp(t *testing.T, api *api) ([]byte, error) {
	t.Helper()
	stream, err := api.admin.Backup(t.Context(), connect.NewRequest(&caiov1.BackupRequest{}))
	must(t, err)
	defer stream.Close()
	var b bytes.Buffer
	for stream.Receive() {
		if n := len(stream.Msg().GetChunk()); n == 0 || n > 256<<10 {
			t.Errorf("a chunk has %d bytes", n)
		}
		b.Write(stream.Msg().GetChunk())
	}
	return b.Bytes(), stream.Err()
}

func TestABackupIsSentWholeOverEveryProtocol(t *testing.T) {
	st, err := store.Open(t.TempDir(), store.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	large := bytes.Repeat([]byte("large "), 200<<10)
	_, err = st.PutContent(t.Context(), large)
	must(t, err)
	h := newHouse(t, setup{options: func(o *server.Options) { o.Backup = st.Backup }})
	for name, api := range protocols(h, h.keys.token(t, "", "admin")) {
		t.Run(name, func(t *testing.T) {
			backup, err := backedUp(t, api)
			must(t, err)
			dir := t.TempDir()
			if _, err := store.Restore(t.Context(), bytes.NewReader(backup), dir, store.RestoreOptions{}); err != nil {
				t.Fatalf("of %d bytes: %v", len(backup), err)
			}
		})
	}
}

func TestOnlyAdminsOfNoTenantBackUp(t *testing.T) {
	h := newHouse(t, setup{options: func(o *server.Options) {
		o.Backup = func(_ context.Context, w io.Writer) error { return errors.New("it was let in") }
	}})
	for who, token := range map[string]string{
		"a tenant's admin": h.keys.token(t, "acme", "admin"), "an auditor": h.keys.token(t, "", "auditor"),
		"an operator": h.keys.token(t, "", "operator"), "a user": h.keys.token(t, "acme", "user"),
	} {
		if _, err := backedUp(t, h.api(token)); code(t, err) != "PERMISSION_DENIED" {
			t.Errorf("%s: %v", who, err)
		}
	}
	if _, err := backedUp(t, h.api("")); code(t, err) != "UNAUTHENTICATED" {
		t.Errorf("nobody: %v", err)
	}
	if _, err := backedUp(t, h.api(h.keys.token(t, "", "admin"))); code(t, err) != "INTERNAL" {
		t.Errorf("an admin: %v", err)
	}
	in := newHouse(t, setup{})
	if _, err := backedUp(t, in.api(in.keys.token(t, "", "admin"))); code(t, err) != "INVALID_REQUEST" {
		t.Errorf("a server that keeps nothing: %v", err)
	}
}

// TestOneBackupIsSentAtATime: another is refused until the caller of the first has left; a shutdown ends it, and says so.
func TestOneBackupIsSentAtATime(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	h := newHouse(t, setup{options: func(o *server.Options) {
		o.Backup = func(ctx context.Context, w io.Writer) error {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
			began <- struct{}{}
			<-ctx.Done()
			ended <- struct{}{}
			return context.Cause(ctx)
		}
	}})
	api := h.api(h.keys.token(t, "", "admin"))
	begin := func(ctx context.Context) *connect.ServerStreamForClient[caiov1.BackupResponse] {
		for {
			stream, err := api.admin.Backup(ctx, connect.NewRequest(&caiov1.BackupRequest{}))
			must(t, err)
			if stream.Receive() {
				<-began
				return stream
			}
			// The one before has ended, and its turn is about to.
			if err := stream.Err(); code(t, err) != "OVERLOADED" {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		ctx, leave := context.WithCancel(t.Context())
		stream := begin(ctx)
		if _, err := backedUp(t, api); code(t, err) != "OVERLOADED" {
			t.Errorf("a second one: %v", err)
		}
		leave()
		<-ended
		_ = stream.Close()
	}
	stream := begin(t.Context())
	h.stop()
	<-ended
	for stream.Receive() {
	}
	if err := stream.Err(); code(t, err) != "UNAVAILABLE" {
		t.Errorf("at a shutdown: %v", err)
	}
}
