package imap

import (
	"strings"
	"testing"
)

// Every capability that stands for commands has them in the table.
func TestCapabilitiesAreTrue(t *testing.T) {
	s := &session{srv: &Server{}, state: authed}
	caps := s.capabilities()
	for capability, commands := range map[string]string{
		"IMAP4rev2": "CAPABILITY NOOP LOGOUT STARTTLS AUTHENTICATE LOGIN ENABLE SELECT EXAMINE CREATE DELETE RENAME SUBSCRIBE" +
			" UNSUBSCRIBE LIST NAMESPACE STATUS APPEND IDLE CLOSE UNSELECT EXPUNGE SEARCH FETCH STORE COPY MOVE",
		"IMAP4rev1": "LSUB CHECK",
		"UIDPLUS":   "UID_EXPUNGE", "MOVE": "MOVE UID_MOVE", "ID": "ID", "IDLE": "IDLE", "NAMESPACE": "NAMESPACE",
		"ESEARCH": "SEARCH UID_SEARCH", "CONDSTORE": "FETCH UID_FETCH STORE UID_STORE", "UNSELECT": "UNSELECT", "ENABLE": "ENABLE",
		"ACL": "SETACL DELETEACL GETACL LISTRIGHTS MYRIGHTS", "RIGHTS=kxte": "SETACL", "BINARY": "FETCH APPEND", "LIST-MYRIGHTS": "LIST", "WITHIN": "SEARCH", "SAVEDATE": "FETCH SEARCH",
	} {
		if !strings.Contains(" "+caps+" ", " "+capability+" ") {
			t.Error(capability, "is not announced")
		}
		for _, c := range strings.Fields(commands) {
			if _, ok := table[strings.ReplaceAll(c, "_", " ")]; !ok {
				t.Errorf("%s without %s", capability, c)
			}
		}
	}
}
