package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
)

// An operation is one line of the API.
type operation struct {
	method, path, summary string
	in, out               reflect.Type
	do                    func(x *page.Request) (any, error)
}

// op makes an operation of a Desk's method. What it is given comes from the
// path, the query and a JSON body, as the fields' tags say.
func op[In, Out any](method, path, summary string, fn func(context.Context, people.Actor, In) (Out, error)) operation {
	return operation{method, path, summary, reflect.TypeFor[In](), reflect.TypeFor[Out](), func(x *page.Request) (any, error) {
		var in In
		if err := decodeBody(x.R, &in); err != nil {
			return nil, err
		}
		if err := fill(reflect.ValueOf(&in).Elem(), x.R); err != nil {
			return nil, err
		}
		return fn(x.R.Context(), actor(x), in)
	}}
}

// decodeBody reads one JSON object with no fields that are not known.
func decodeBody(r *http.Request, in any) error {
	if r.Method == http.MethodGet || r.Method == http.MethodDelete || r.ContentLength == 0 {
		return nil
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(in); errors.Is(err, io.EOF) {
		return nil // a body in chunks that has none: its length was not told
	} else if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return fmt.Errorf("the body: %w: %w", storage.ErrInvalid, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more than one value in the body: %w", storage.ErrInvalid)
	}
	return nil
}

// fill sets the fields that are tagged path or query.
func fill(v reflect.Value, r *http.Request) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			if err := fill(v.Field(i), r); err != nil {
				return err
			}
			continue
		}
		text := ""
		if name := f.Tag.Get("path"); name != "" {
			text = r.PathValue(name)
		} else if name := f.Tag.Get("query"); name != "" {
			text = r.URL.Query().Get(name)
		}
		if text == "" {
			continue
		}
		if err := fillField(v.Field(i), text); err != nil {
			return fmt.Errorf("%s %q: %w", f.Name, text, storage.ErrInvalid)
		}
	}
	return nil
}

func fillField(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(n)
		return err
	default:
		return errors.ErrUnsupported
	}
	return nil
}

// operations is the whole API.
func (d *Desk) operations() []operation {
	return []operation{
		op("GET", "/api/overview", "Counts and the machine's health", d.Overview),
		op("GET", "/api/people", "Members", d.People),
		op("GET", "/api/people/{id}", "One member", d.Person),
		op("PATCH", "/api/people/{id}", "Change facts about a member", d.ChangePerson),
		op("DELETE", "/api/people/{id}", "Delete a member with everything they have", d.DeletePerson),
		op("POST", "/api/people/{id}/approve", "Open an account that waits", d.Approve),
		op("POST", "/api/people/{id}/recovery", "New recovery codes for somebody who lost theirs", d.AllowRecovery),
		op("POST", "/api/people/{id}/addresses", "Give another address", d.AddAddress),
		op("DELETE", "/api/people/{id}/addresses", "Take an address away", d.RemoveAddress),
		op("GET", "/api/households", "Households", d.Households),
		op("GET", "/api/households/{id}", "One household", d.Household),
		op("PATCH", "/api/households/{id}", "Change a household", d.ChangeHousehold),
		op("POST", "/api/payments", "Note a list of payments", d.Payments),
		op("GET", "/api/invitations", "Open invitations", d.Invitations),
		op("POST", "/api/invitations", "Invite", d.Invite),
		op("DELETE", "/api/invitations/{id}", "Take an invitation back", d.Withdraw),
		op("GET", "/api/groups", "Groups", d.Groups),
		op("POST", "/api/groups", "Make a group", d.AddGroup),
		op("DELETE", "/api/groups/{id}", "Delete a group with everything in it", d.DeleteGroup),
		op("POST", "/api/groups/{id}/members", "Put an address into a group", d.JoinGroup),
		op("DELETE", "/api/groups/{id}/members", "Take an address out of a group", d.LeaveGroup),
		op("GET", "/api/shared", "What groups share, and with whom", d.Shared),
		op("POST", "/api/shared", "Make a mailbox, folder, calendar or address book of a group", d.Share),
		op("GET", "/api/shared/{collection}/{item}", "One thing that a group shares", d.OneShared),
		op("PUT", "/api/shared/{collection}/{item}/rights", "Give a member or a group rights, or take them", d.GiveRights),
		op("DELETE", "/api/shared/{collection}/{item}", "Remove what a group shares", d.RemoveShared),
		op("GET", "/api/domains", "Domains", d.Domains),
		op("PUT", "/api/domains", "Add a domain or change what it does", d.PutDomain),
		op("DELETE", "/api/domains/{name}", "Remove a domain without addresses", d.RemoveDomain),
		op("GET", "/api/domains/{name}/check", "What the DNS says of a domain", d.CheckDomain),
		op("GET", "/api/start", "What stands between an installation and mail with the world", d.Start),
		op("GET", "/api/queue", "Mail that waits", d.Queue),
		op("POST", "/api/queue/{id}/retry", "Try again now", d.Retry),
		op("POST", "/api/queue/{id}/hold", "Keep until retry", d.Hold),
		op("DELETE", "/api/queue/{id}", "Delete without telling the sender", d.Drop),
		op("GET", "/api/backup", "How old the backup is, where, and what is being done about it", d.Backup),
		op("POST", "/api/backup", "Start a backup", d.StartBackup),
		op("POST", "/api/backup/verify", "Start restoring the backup to a temporary place, to verify it", d.StartVerify),
		op("GET", "/api/traces", "What happened to a message", d.FindTraces),
		op("GET", "/api/log", "The audit log", d.Log),
		op("GET", "/api/coop", "The cooperative's facts", d.Coop),
		op("PUT", "/api/coop", "Change the cooperative's facts", d.SetCoop),
	}
}

// apiBody bounds a request's body; a list of payments is the longest.
const apiBody = 1 << 20

func (d *Desk) apiRoutes() (routes []page.Route) {
	for _, o := range d.operations() {
		routes = append(routes, page.Route{Pattern: o.method + " " + o.path, Access: page.Admin, Program: true, Body: apiBody, Do: o.answer})
	}
	return append(routes, page.Route{Pattern: "GET /api/openapi.json", Access: page.Admin, Program: true, Do: func(x *page.Request) error {
		return writeJSON(x.W, http.StatusOK, d.description())
	}})
}

// answer writes what the operation returns, or its error as problem details
// (RFC 9457).
func (o operation) answer(x *page.Request) error {
	out, err := o.do(x)
	if err == nil {
		if _, nothing := out.(Nothing); nothing {
			x.W.WriteHeader(http.StatusNoContent)
			return nil
		}
		return writeJSON(x.W, http.StatusOK, out)
	}
	status := 0
	for _, c := range []struct {
		is     error
		status int
	}{
		{storage.ErrNotFound, http.StatusNotFound}, {storage.ErrConflict, http.StatusConflict}, {storage.ErrInvalid, http.StatusUnprocessableEntity},
		{storage.ErrFull, http.StatusInsufficientStorage}, {storage.ErrQuota, http.StatusInsufficientStorage}, {storage.ErrTemporary, http.StatusServiceUnavailable},
	} {
		if status == 0 && errors.Is(err, c.is) {
			status = c.status
		}
	}
	if status == 0 {
		return err
	}
	x.W.Header().Set("Content-Type", "application/problem+json")
	return writeJSON(x.W, status, map[string]any{"status": status, "title": http.StatusText(status), "detail": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the reader went away: nobody is left to tell
	return nil
}
