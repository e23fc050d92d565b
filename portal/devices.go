package portal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"

	"rsc.io/qr"
)

// A newborn is a device whose password has just been made: a link of its own
// gives it to the device, for a quarter of an hour.
type newborn struct {
	address, name, device, password string
	scope                           accounts.Scope
}

const newbornTime = 15 * time.Minute

// maxDevices is how many app passwords an account can have.
const maxDevices = 50

type deviceForm struct {
	List   []deviceRow
	Device string
	Scopes []scopeChoice
}

// A deviceRow is a device with the words for what it may use.
type deviceRow struct {
	accounts.AppPassword
	ScopeWords []string
}

type scopeChoice struct {
	Name, Word string
	On         bool
}

var scopeNames = []string{"mail", "files", "calendar", "contacts"}

func (p *Portal) deviceForm(x *page.Request) (f deviceForm, err error) {
	f.Device = x.Form("device")
	asked := x.R.PostForm["scope"]
	for _, name := range scopeNames {
		f.Scopes = append(f.Scopes, scopeChoice{name, "scope." + name, len(asked) == 0 || strings.Contains(" "+strings.Join(asked, " ")+" ", " "+name+" ")})
	}
	err = p.DB.View(func(tx *storage.Tx) error {
		for _, d := range accounts.AppPasswords(tx, me(x)) {
			f.List = append(f.List, deviceRow{d, scopeWords(d.Scope)})
		}
		return nil
	})
	return f, err
}

func scopeWords(s accounts.Scope) (words []string) {
	for _, name := range scopeNames {
		if part, err := accounts.ParseScope(name); err == nil && s&part != 0 {
			words = append(words, "scope."+name)
		}
	}
	return words
}

func (p *Portal) devicesPage(x *page.Request) error {
	form, err := p.deviceForm(x)
	if err != nil {
		return err
	}
	return x.Page("devices", "devices.title", form)
}

func (p *Portal) addDevice(x *page.Request) error {
	form, err := p.deviceForm(x)
	if err != nil {
		return err
	}
	scope, err := accounts.ParseScope(strings.Join(x.R.PostForm["scope"], ","))
	switch {
	case form.Device == "" || accounts.CheckName(form.Device) != nil:
		return x.Again("devices", "devices.title", form, page.Problem{Word: "devices.noname"})
	case err != nil:
		return x.Again("devices", "devices.title", form, page.Problem{Word: "devices.noscope", Err: err})
	case len(form.List) >= maxDevices:
		return x.Again("devices", "devices.title", form, page.Problem{Word: "devices.many", Args: []any{maxDevices}})
	}
	n := newborn{device: form.Device, scope: scope}
	now := p.Now()
	err = p.DB.Update(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, me(x))
		if err != nil {
			return err
		}
		n.address, n.name = a.Address, nameOf(a)
		if n.password, _, err = accounts.NewAppPassword(tx, a.ID, form.Device, scope, now); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: a.ID, About: a.ID, Did: "device.add", Detail: form.Device, Client: client(x).String()})
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	token, err := p.devices.keep(ownerOf(me(x)), n, now, newbornTime)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	x.Redirect("/device/" + token)
	return nil
}

func (p *Portal) newborn(x *page.Request) (token string, n newborn, err error) {
	token = x.R.PathValue("token")
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.devices.look(token, p.Now())
	if !ok {
		return "", n, page.Problem{Word: "device.over"}
	}
	return token, n, nil
}

// devicePage is where the new device, or the screen beside it, learns what to
// connect with.
func (p *Portal) devicePage(x *page.Request) error {
	token, n, err := p.newborn(x)
	if err != nil {
		return err
	}
	link := p.Origin + "/device/" + token
	picture, err := qrPicture(link)
	if err != nil {
		return err
	}
	dav := url.URL{Scheme: "davx5", User: url.User(n.address), Host: strings.TrimPrefix(p.Origin, "https://"), Path: "/dav/"}
	return x.Page("device", "device.title", map[string]any{
		"Device": n.device, "Address": n.address, "Password": n.password, "QR": picture, "Profile": "/device/" + token + "/essaim.mobileconfig",
		"DAVx5": template.URL(dav.String()), "Origin": p.Origin, "Services": p.Services, //nolint:gosec // built from our own parts
		"Mail": n.scope&accounts.ScopeMail != 0, "DAV": n.scope&accounts.ScopeDAV != 0,
	})
}

func qrPicture(text string) (template.URL, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG())), nil //nolint:gosec // a picture we made
}

func (p *Portal) profile(x *page.Request) error {
	_, n, err := p.newborn(x)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := p.writeProfile(&b, n, p.CoopName(x.R.Context())); err != nil {
		return err
	}
	body, err := p.sign(b.Bytes())
	if err != nil {
		return err
	}
	h := x.W.Header()
	h.Set("Content-Type", "application/x-apple-aspen-config")
	h.Set("Content-Disposition", `attachment; filename="essaim.mobileconfig"`)
	h.Set("Cache-Control", "no-store")
	_, _ = x.W.Write(body)
	return nil
}

func (p *Portal) revokeDevice(x *page.Request) error {
	id, _ := strconv.ParseUint(x.Form("id"), 10, 32)
	now := p.Now()
	err := p.DB.Update(func(tx *storage.Tx) error {
		name := ""
		for _, d := range accounts.AppPasswords(tx, me(x)) {
			if d.ID == uint32(id) {
				name = d.Device
			}
		}
		if err := accounts.Revoke(tx, me(x), uint32(id)); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: me(x), About: me(x), Did: "device.remove", Detail: name, Client: client(x).String()})
	})
	if errors.Is(err, storage.ErrNotFound) {
		err = nil // a second tap
	}
	if err != nil {
		return fmt.Errorf("revoking app password %d: %w", id, err)
	}
	x.Redirect("/devices?done=revoked")
	return nil
}
