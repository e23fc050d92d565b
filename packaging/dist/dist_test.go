package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unpack reads a tar into names and contents.
func unpack(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(epoch) {
			t.Errorf("%s is dated %v", h.Name, h.ModTime)
		}
		if out[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// Every blob of the image is what its digest says, and the program is in it.
func TestImage(t *testing.T) {
	image, err := targets[2].image([]byte("program"), []byte("roots"), "1.2")
	if err != nil {
		t.Fatal(err)
	}
	again, err := targets[2].image([]byte("program"), []byte("roots"), "1.2")
	if err != nil || !bytes.Equal(image, again) {
		t.Error("the same image twice is not the same")
	}
	files := unpack(t, image)
	blob := func(d descriptor) []byte {
		b, ok := files["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
		if !ok || digest(b) != d.Digest || len(b) != d.Size {
			t.Fatalf("blob %+v: %d bytes", d, len(b))
		}
		return b
	}
	var index struct{ Manifests []descriptor }
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	var config struct {
		Architecture string
		RootFS       struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := errors.Join(json.Unmarshal(files["index.json"], &index), json.Unmarshal(blob(index.Manifests[0]), &manifest), json.Unmarshal(blob(manifest.Config), &config)); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(blob(manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	inside := unpack(t, layer)
	if config.Architecture != "arm" || digest(layer) != config.RootFS.DiffIDs[0] || string(inside["usr/bin/essaim"]) != "program" || string(inside["etc/ssl/certs/ca-certificates.crt"]) != "roots" {
		t.Errorf("%+v, %d files", config, len(inside))
	}
}

// Another program reads the image, checks its digests and makes its own of it.
func TestImageIsReadByOthers(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("skopeo is not installed")
	}
	dir := t.TempDir()
	for _, target := range targets {
		image, err := target.image([]byte("program"), nil, "1.2")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, target.debian+".oci.tar"), image, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		from := "oci-archive:" + filepath.Join(dir, target.debian+".oci.tar") + ":essaim:1.2"
		b, err := exec.Command(skopeo, "inspect", "--config", from).CombinedOutput()
		if err != nil || !strings.Contains(string(b), `"architecture": "`+target.arch+`"`) || !strings.Contains(string(b), `"User": "10025:10025"`) {
			t.Errorf("%s: %v\n%s", target.debian, err, b)
		}
		if b, err := exec.Command(skopeo, "--insecure-policy", "copy", from, "dir:"+filepath.Join(dir, target.debian)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", target.debian, err, b)
		}
	}
}

// The list of parts names the compiler's library and every module in the
// program: here, the test's own.
func TestPartsAreListed(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := sbom(program, "1.2")
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Format != "CycloneDX" || got.Metadata.Component.PURL != "pkg:golang/essaim.coop/essaim@1.2" || got.Components[0].Name != "std" || !regexp.MustCompile(`^1\.\d+`).MatchString(got.Components[0].Version) {
		t.Errorf("%s", b)
	}
	if len(got.Dependencies[0].On) != len(got.Components) {
		t.Error("a part that nothing depends on")
	}
	if _, err := sbom("/bin/sh", "1"); err == nil {
		t.Error("parts of what Go did not build")
	}
}

// sources copies what is under version control.
func sources(t *testing.T, to string) {
	t.Helper()
	list, err := exec.Command("git", "-C", "../..", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("no version control here: ", err)
	}
	for _, name := range strings.Split(strings.TrimRight(string(list), "\x00"), "\x00") {
		from := filepath.Join("../..", name)
		st, err := os.Stat(from)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed and not yet committed
		}
		var b []byte
		if err == nil {
			b, err = os.ReadFile(from)
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, st.Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// release makes everything of a release from the sources in dir, with a build
// cache of its own: what another build compiled proves nothing.
func release(t *testing.T, dir, zone string) (sums string) {
	t.Helper()
	t.Setenv("GOCACHE", filepath.Join(t.TempDir(), "cache"))
	t.Setenv("TZ", zone)
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	out, only := filepath.Join(t.TempDir(), "out"), os.Getenv("ESSAIM_ARCH")
	if err := run(dir, out, "1.2", only, filepath.Join(dir, "LICENSE")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Log("dpkg-deb is not installed: no Debian packages")
		return string(b)
	}
	for _, target := range targets {
		if only != "" && only != target.debian {
			continue
		}
		said, err := exec.Command(filepath.Join(dir, "packaging/deb.sh"), filepath.Join(out, "essaim-linux-"+target.debian), "1.2", target.debian, out).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		deb, err := os.ReadFile(strings.TrimSpace(string(said)))
		if err != nil {
			t.Fatal(err)
		}
		b = fmt.Appendf(b, "%x  %s\n", sha256.Sum256(deb), filepath.Base(strings.TrimSpace(string(said))))
	}
	return string(b)
}

// Two builds in two directories, zones and caches are the same bytes, for every
// machine: programs, lists of parts, images and Debian packages.
func TestBuildsAreReproducible(t *testing.T) {
	if os.Getenv("ESSAIM_LONG") == "" {
		t.Skip("compiles everything twice; ESSAIM_LONG is not set")
	}
	one, another := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "another/and/deeper")
	sources(t, one)
	sources(t, another)
	sums, others := release(t, one, "UTC"), release(t, another, "Asia/Tokyo")
	t.Log("\n" + sums)
	if sums != others || !strings.Contains(sums, "oci.tar") {
		t.Errorf("the other build:\n%s", others)
	}
}

// The unit gives the service no more than it needs, as systemd judges it.
func TestUnitIsHardened(t *testing.T) {
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	b, err := exec.Command(program, "security", "--offline=true", "--no-pager", "../essaim.service").CombinedOutput()
	m := regexp.MustCompile(`exposure level for essaim\.service: ([0-9.]+)`).FindSubmatch(b)
	if m == nil {
		t.Skipf("systemd-analyze cannot here: %v\n%s", err, b)
	}
	if score, err := strconv.ParseFloat(string(m[1]), 64); err != nil || score > 1.6 {
		t.Errorf("exposure %s\n%s", m[1], b)
	}
}

// The package installs the program, its units and its manual, twice the same.
func TestDebianPackage(t *testing.T) {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho essaim\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var packages [2][]byte
	for i, out := range []string{dir + "/a", dir + "/b"} {
		cmd := exec.Command("../deb.sh", program, "v1.2-3-gabc", "amd64", out)
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
		if b, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		var err error
		if packages[i], err = os.ReadFile(out + "/essaim_1.2+3+gabc_amd64.deb"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(packages[0], packages[1]) {
		t.Error("the same package twice is not the same")
	}
	deb := dir + "/a/essaim_1.2+3+gabc_amd64.deb"
	b, err := exec.Command("dpkg-deb", "--contents", deb).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, want := range []string{"./usr/bin/essaim", "./lib/systemd/system/essaim.service", "./lib/systemd/system/essaim.socket", "./usr/share/man/man8/essaim.8.gz", "./etc/default/essaim", "./usr/share/doc/essaim/copyright"} {
		if !strings.Contains(string(b), want+"\n") {
			t.Errorf("no %s in\n%s", want, b)
		}
	}
	if strings.Contains(strings.ReplaceAll(string(b), "root/root", ""), "/root ") {
		t.Errorf("somebody owns a file:\n%s", b)
	}
	if conf, err := exec.Command("dpkg-deb", "--info", deb, "conffiles").Output(); err != nil || string(conf) != "/etc/default/essaim\n" {
		t.Errorf("conffiles %q, %v", conf, err)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		if b, err := exec.Command("sh", "-n", "../debian/"+script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", script, err, b)
		}
	}
}
