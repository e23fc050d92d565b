package webfs

import (
	"mime"
	"path"
	"strings"
)

// mediaTypes are those of names' endings. The table is ours and not the
// machine's, so that the same file has the same type everywhere.
var mediaTypes = map[string]string{}

func init() {
	for _, line := range strings.Split(strings.TrimSpace(mediaTable), "\n") {
		fields := strings.Fields(line)
		for _, ext := range fields[1:] {
			mediaTypes["."+ext] = fields[0]
		}
	}
}

const mediaTable = `
application/epub+zip epub
application/gzip gz tgz
application/json json
application/msword doc dot
application/pdf pdf
application/rtf rtf
application/vnd.ms-excel xls xlt
application/vnd.ms-powerpoint ppt pps
application/vnd.oasis.opendocument.graphics odg
application/vnd.oasis.opendocument.presentation odp
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.text odt
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/x-7z-compressed 7z
application/x-bzip2 bz2
application/x-tar tar
application/xml xml
application/zip zip
application/zstd zst
audio/aac aac
audio/flac flac
audio/mp4 m4a
audio/mpeg mp3
audio/ogg ogg oga opus
audio/wav wav
font/otf otf
font/ttf ttf
font/woff2 woff2
image/avif avif
image/bmp bmp
image/gif gif
image/heic heic heif
image/jpeg jpg jpeg
image/png png
image/svg+xml svg
image/tiff tif tiff
image/webp webp
message/rfc822 eml
text/calendar;charset=utf-8 ics
text/css css
text/csv csv
text/html html htm xhtml
text/javascript js mjs
text/markdown md markdown
text/plain txt text log
text/vcard;charset=utf-8 vcf
video/mp4 mp4 m4v
video/mpeg mpeg mpg
video/ogg ogv
video/quicktime mov
video/webm webm
video/x-matroska mkv
video/x-msvideo avi
`

const unknownType = "application/octet-stream"

// mediaType is that of the name's ending, or else what the client says. The
// bytes are never asked: what they look like is for an attacker to choose.
func mediaType(name, given string) string {
	if t, ok := mediaTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	if t, params, err := mime.ParseMediaType(given); err == nil && len(given) <= 200 {
		if t = mime.FormatMediaType(t, params); t != "" && strings.Contains(t, "/") {
			return t
		}
	}
	return unknownType
}
