package admin

import (
	"reflect"
	"strings"
	"time"
)

// description is the API in OpenAPI 3.1, made from the operations themselves.
func (d *Desk) description() map[string]any {
	paths := map[string]map[string]any{}
	for _, o := range d.operations() {
		if paths[o.path] == nil {
			paths[o.path] = map[string]any{}
		}
		paths[o.path][strings.ToLower(o.method)] = o.describe()
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{"title": "essaim", "version": "1",
			"description": "What the administrators' pages do, under the same rights: the session cookie of an administrator who proved lately who they are."},
		"paths": paths,
	}
}

func (o operation) describe() map[string]any {
	var parameters []any
	body := map[string]any{}
	for _, f := range fields(o.in) {
		in := "path"
		name := f.Tag.Get("path")
		if name == "" {
			in, name = "query", f.Tag.Get("query")
		}
		takesBody := o.method == "POST" || o.method == "PUT" || o.method == "PATCH"
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); takesBody && in != "path" && key != "" && key != "-" {
			body[key] = schema(f.Type)
		} else if name != "" {
			parameters = append(parameters, map[string]any{"name": name, "in": in, "required": in == "path", "schema": schema(f.Type)})
		}
	}
	out := map[string]any{"summary": o.summary, "responses": o.responses()}
	if parameters != nil {
		out["parameters"] = parameters
	}
	if len(body) > 0 {
		out["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{
			"schema": map[string]any{"type": "object", "properties": body, "additionalProperties": false}}}}
	}
	return out
}

func (o operation) responses() map[string]any {
	problem := map[string]any{"description": "A problem, as RFC 9457 has it"}
	if o.out == reflect.TypeFor[Nothing]() {
		return map[string]any{"204": map[string]any{"description": "Done"}, "default": problem}
	}
	return map[string]any{"default": problem, "200": map[string]any{"description": o.summary,
		"content": map[string]any{"application/json": map[string]any{"schema": schema(o.out)}}}}
}

// fields returns a struct's fields, those of embedded ones included.
func fields(t reflect.Type) (out []reflect.StructField) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			out = append(out, fields(f.Type)...)
		} else {
			out = append(out, f)
		}
	}
	return out
}

func schema(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return schema(t.Elem())
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": schema(t.Elem())}
	case t.Kind() == reflect.Struct:
		properties := map[string]any{}
		for _, f := range fields(t) {
			if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key != "" && key != "-" {
				properties[key] = schema(f.Type)
			}
		}
		return map[string]any{"type": "object", "properties": properties}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	}
	return map[string]any{"type": "integer"}
}
