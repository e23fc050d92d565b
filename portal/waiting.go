package portal

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// waiting keeps, in memory and for a short time, what the next request comes
// back for by a token. It is bounded: beyond that the oldest goes.
type waiting[T any] struct {
	things map[string]kept[T]
	order  []string
}

type kept[T any] struct {
	thing T
	until time.Time
}

const maxWaiting = 1000

// keep returns the token of 192 random bits.
func (w *waiting[T]) keep(thing T, until time.Time) (string, error) {
	raw := make([]byte, 24)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	token := base64.RawURLEncoding.EncodeToString(raw)
	if w.things == nil {
		w.things = map[string]kept[T]{}
	}
	for len(w.order) >= maxWaiting {
		delete(w.things, w.order[0])
		w.order = w.order[1:]
	}
	w.things[token] = kept[T]{thing, until}
	w.order = append(w.order, token)
	return token, nil
}

// look returns what waits under a token.
func (w *waiting[T]) look(token string, now time.Time) (thing T, ok bool) {
	k, ok := w.things[token]
	if !ok || now.After(k.until) {
		return thing, false
	}
	return k.thing, true
}

// take is look, once.
func (w *waiting[T]) take(token string, now time.Time) (thing T, ok bool) {
	thing, ok = w.look(token, now)
	delete(w.things, token)
	return thing, ok
}
