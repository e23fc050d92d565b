package queue

import (
	"context"
	"errors"
	"io"
	"time"

	"essaim.coop/essaim/smtp/smtpclient"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// here tries a mailbox of ours again that was full. That the message is in it and
// not in the queue any more is one transaction.
func (q *Queue) here(ctx context.Context, e *Entry, trace Trace) error {
	err := q.into(e)
	r := smtpclient.Result{Enhanced: "4.3.0"}
	switch {
	case err == nil:
		trace.Event("delivered", "account", e.Account)
		q.Log.Info("delivered", "queue", e.ID, "to", e.Recipients[0].Addr)
		return nil
	case errors.Is(err, errDropped):
		return nil
	case errors.Is(err, storage.ErrQuota):
		r = smtpclient.Result{Enhanced: "4.2.2", Text: "the mailbox is full"}
	case errors.Is(err, storage.ErrNotFound): // the account is no more
		r = smtpclient.Result{Status: smtpclient.Permanent, Enhanced: "5.1.1", Text: "no such address"}
	default:
		r.Text = err.Error()
	}
	return q.settle(ctx, e, "", []smtpclient.Result{r}, trace)
}

var errDropped = errors.New("dropped meanwhile")

func (q *Queue) into(e *Entry) error {
	in, err := q.restage(e)
	if err != nil {
		return err
	}
	now := time.Now()
	err = q.DB.Update(func(tx *storage.Tx) error {
		old, err := get(tx, e.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return errDropped
		}
		if err == nil {
			err = q.Into(tx, e.Account, e.Login, e.Sender, in, now)
		}
		if err == nil {
			remove(tx, old)
		}
		return err
	})
	in.Discard()
	return err
}

// restage makes the stored message ready to be appended.
func (q *Queue) restage(e *Entry) (*mailbox.Incoming, error) {
	body, err := q.DB.OpenBlob(e.Blob)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	s, err := q.DB.StageAll(io.NewSectionReader(body, 0, body.Size()))
	if err != nil {
		return nil, err
	}
	in, err := mailbox.PrepareWith(s, e.Prefix)
	if err != nil {
		s.Discard()
	}
	return in, err
}
