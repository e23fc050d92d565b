package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// serviceID is the user and group of the image: a number that no host uses for
// people.
const serviceID = 10025

// epoch dates everything in an image.
var epoch = time.Unix(0, 0).UTC()

// A descriptor names a blob (OCI image specification, descriptor.md).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

// image makes an OCI image of nothing but the program, as one tar: podman and
// docker load it.
func (t target) image(program, ca []byte, version string) ([]byte, error) {
	layer, err := layerOf(program, ca)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(layer); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	p := platform{Architecture: t.arch, OS: "linux"}
	if t.arm != "" {
		p.Variant = "v" + t.arm
	}
	config, err := json.Marshal(map[string]any{
		"architecture": p.Architecture, "os": p.OS, "variant": p.Variant, "created": epoch,
		"config": map[string]any{
			"User": "10025:10025", "Entrypoint": []string{"/usr/bin/essaim"}, "Cmd": []string{"serve"}, "WorkingDir": "/",
			"Volumes":      map[string]any{"/var/lib/essaim": struct{}{}, "/etc/essaim": struct{}{}},
			"ExposedPorts": map[string]any{"25/tcp": struct{}{}, "80/tcp": struct{}{}, "143/tcp": struct{}{}, "443/tcp": struct{}{}, "465/tcp": struct{}{}, "587/tcp": struct{}{}, "993/tcp": struct{}{}},
			"Labels":       map[string]string{"org.opencontainers.image.version": version, "org.opencontainers.image.licenses": "AGPL-3.0-or-later"},
			"StopSignal":   "SIGTERM",
		},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(layer)}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: digest(config), Size: len(config)},
		"layers": []descriptor{{MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: digest(packed.Bytes()), Size: packed.Len()}},
	})
	if err != nil {
		return nil, err
	}
	return layout(manifest, p, version, config, packed.Bytes())
}

// layout is the image as a directory in a tar (image-layout.md).
func layout(manifest []byte, p platform, version string, blobs ...[]byte) ([]byte, error) {
	index, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
		"manifests": []descriptor{{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest(manifest), Size: len(manifest), Platform: &p,
			Annotations: map[string]string{"org.opencontainers.image.ref.name": "essaim:" + version}}},
	})
	if err != nil {
		return nil, err
	}
	files := []file{{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644, 0}, {"index.json", index, 0o644, 0}, {"blobs/", nil, 0o755, 0}, {"blobs/sha256/", nil, 0o755, 0}}
	for _, b := range append([][]byte{manifest}, blobs...) {
		files = append(files, file{"blobs/sha256/" + digest(b)[len("sha256:"):], b, 0o644, 0})
	}
	return archive(files)
}

// layerOf is the file system of the image.
func layerOf(program, ca []byte) ([]byte, error) {
	files := []file{
		{"etc/", nil, 0o755, 0}, {"etc/essaim/", nil, 0o750, serviceID},
		{"etc/passwd", []byte("root:x:0:0:root:/:/\nessaim:x:10025:10025:essaim:/var/lib/essaim:/\n"), 0o644, 0},
		{"etc/group", []byte("root:x:0:\nessaim:x:10025:\n"), 0o644, 0},
		{"tmp/", nil, 0o1777, 0}, {"usr/", nil, 0o755, 0}, {"usr/bin/", nil, 0o755, 0}, {"usr/bin/essaim", program, 0o755, 0},
		{"var/", nil, 0o755, 0}, {"var/lib/", nil, 0o755, 0}, {"var/lib/essaim/", nil, 0o700, serviceID},
	}
	if ca != nil {
		files = append(files, file{"etc/ssl/", nil, 0o755, 0}, file{"etc/ssl/certs/", nil, 0o755, 0}, file{"etc/ssl/certs/ca-certificates.crt", ca, 0o644, 0})
	}
	return archive(files)
}

// A file of an archive; a name with a slash at its end is a folder.
type file struct {
	name    string
	content []byte
	mode    int64
	owner   int
}

func archive(files []file) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.content)), ModTime: epoch, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg}
		if f.name[len(f.name)-1] == '/' {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(h[:])
}
