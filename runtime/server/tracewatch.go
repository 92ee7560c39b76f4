package server

import (
	"context"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Watch sends what the caller may see of what becomes durable. Its headers go out at once: whoever has them misses
// nothing that comes after.
func (t *traces) Watch(ctx context.Context, req *connect.Request[caiov1.TraceServiceWatchRequest], stream *connect.ServerStream[caiov1.TraceServiceWatchResponse]) error {
	watch, release := untilDrain(ctx, t.draining)
	defer release()
	query, ok := queryOf(ctx, req.Msg.GetFilter())
	seen := t.log.Watch(watch, query, req.Msg.FromSequence)
	if err := stream.Send(nil); err != nil {
		return err
	}
	if !ok {
		// As with List: what a caller may not see does not happen.
		<-watch.Done()
		return ctx.Err()
	}
	for stored, err := range seen {
		if drained(watch) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&caiov1.TraceServiceWatchResponse{Trace: stored}); err != nil {
			return err
		}
	}
	return nil
}
