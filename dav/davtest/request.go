package davtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// Do makes a request of a member to the engine; header are names and values in
// turn.
func (h *House) Do(user, method, path, body string, header ...string) (status int, answer string, got http.Header) {
	h.TB.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("User", user)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.Engine.ServeHTTP(w, r)
	res := w.Result()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.TB.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

// Want makes a request and complains unless the status is right and every text
// is in the answer; one that begins with "!" must not be.
func (h *House) Want(status int, texts []string, user, method, path, body string, header ...string) (answer string) {
	h.TB.Helper()
	got, answer, _ := h.Do(user, method, path, body, header...)
	if got != status {
		h.TB.Errorf("%s %s: %d, want %d\n%s", method, path, got, status, answer)
	}
	for _, text := range texts {
		not, absent := strings.CutPrefix(text, "!")
		if strings.Contains(answer, not) == absent {
			h.TB.Errorf("%s %s: want %q in\n%s", method, path, text, answer)
		}
	}
	return answer
}
