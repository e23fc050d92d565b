package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/page"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"
)

// The set-up in a browser that takes the throwaway certificate, on a phone, in
// every language, without a script.
func TestStorySetUpInABrowser(t *testing.T) {
	_, _, address, _, ended := webSetup(t, time.Hour)
	b := openTab(t, address[:strings.Index(address, "/setup/")])
	b.do(security.Enable(), security.SetIgnoreCertificateErrors(true), emulation.SetScriptExecutionDisabled(true), emulation.SetDeviceMetricsOverride(360, 800, 1, true))
	for _, l := range page.Languages {
		var wide bool
		b.do(chromedp.Navigate(address), chromedp.Click("footer button[value="+string(l)+"]", chromedp.ByQuery), chromedp.WaitReady("html[lang="+string(l)+"]", chromedp.ByQuery),
			chromedp.Evaluate(`document.documentElement.scrollWidth > window.innerWidth`, &wide))
		if wide {
			t.Errorf("in %s it runs over the edge", l)
		}
	}
	b.picture("setup")
	var text string
	b.do(chromedp.SendKeys("#name", "Les Voisins"), chromedp.SendKeys("#domain", "coop.example"), chromedp.SendKeys("#where", "Liège"), chromedp.SendKeys("#address", "zoe"),
		chromedp.Click("form.card button", chromedp.ByQuery), chromedp.WaitReady("#password", chromedp.ByQuery), chromedp.Text("main", &text, chromedp.ByQuery))
	if !strings.Contains(text, "zoe@coop.example") || !strings.Contains(text, "mail.coop.example/recover") {
		t.Error(text)
	}
	b.picture("founded")
	b.calm()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the page goes on after success")
	}
}

// picture keeps what the tab shows where ESSAIM_PICTURES says, for people to
// look at.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("ESSAIM_PICTURES")
	if dir == "" {
		return
	}
	var png []byte
	b.do(chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(dir+"/"+name+".png", png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
