package portal

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"time"
)

// waiting keeps, in memory and for a short time, what the next request comes
// back for by a token. It is bounded, for each owner and in all: beyond that
// the owner's oldest goes, and only then the oldest of all.
type waiting[T any] struct {
	things map[string]kept[T]
	order  []string // tokens, oldest first
}

type kept[T any] struct {
	thing T
	owner string
	until time.Time
}

const (
	maxWaiting = 1000
	maxOwned   = 20
)

// keep returns the token of 192 random bits.
func (w *waiting[T]) keep(owner string, thing T, now time.Time, d time.Duration) (string, error) {
	raw := make([]byte, 24)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	token := base64.RawURLEncoding.EncodeToString(raw)
	if w.things == nil {
		w.things = map[string]kept[T]{}
	}
	w.drop(func(k kept[T]) bool { return now.After(k.until) })
	if own := w.owned(owner); len(own) >= maxOwned {
		delete(w.things, own[0])
	} else if len(w.things) >= maxWaiting {
		delete(w.things, w.order[0])
	}
	w.things[token] = kept[T]{thing, owner, now.Add(d)}
	w.order = append(w.order, token)
	return token, nil
}

// drop forgets what answers true.
func (w *waiting[T]) drop(which func(kept[T]) bool) {
	w.order = slices.DeleteFunc(w.order, func(token string) bool {
		k, ok := w.things[token]
		if ok && which(k) {
			delete(w.things, token)
			return true
		}
		return !ok
	})
}

// owned are the tokens of an owner, oldest first.
func (w *waiting[T]) owned(owner string) (out []string) {
	for _, token := range w.order {
		if w.things[token].owner == owner {
			out = append(out, token)
		}
	}
	return out
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
