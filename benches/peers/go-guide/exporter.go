package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporter sends spans by OTLP over HTTP in its JSON encoding, the one the standard library can write.
type exporter struct{ url string }

type value struct {
	Text   *string `json:"stringValue,omitempty"`
	Number *string `json:"intValue,omitempty"`
}

type keyValue struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

type span struct {
	TraceID    string     `json:"traceId"`
	SpanID     string     `json:"spanId"`
	ParentID   string     `json:"parentSpanId,omitempty"`
	Name       string     `json:"name"`
	Kind       int        `json:"kind"`
	Start      string     `json:"startTimeUnixNano"`
	End        string     `json:"endTimeUnixNano"`
	Attributes []keyValue `json:"attributes"`
}

type scopeSpans struct {
	Spans []span `json:"spans"`
}

type resource struct {
	Attributes []keyValue `json:"attributes"`
}

type resourceSpans struct {
	Resource   resource     `json:"resource"`
	ScopeSpans []scopeSpans `json:"scopeSpans"`
}

func (e exporter) ExportSpans(ctx context.Context, batch []sdktrace.ReadOnlySpan) error {
	spans := make([]span, 0, len(batch))
	for _, s := range batch {
		parent := ""
		if s.Parent().HasSpanID() {
			parent = s.Parent().SpanID().String()
		}
		spans = append(spans, span{
			TraceID:    s.SpanContext().TraceID().String(),
			SpanID:     s.SpanContext().SpanID().String(),
			ParentID:   parent,
			Name:       s.Name(),
			Kind:       int(s.SpanKind()),
			Start:      strconv.FormatInt(s.StartTime().UnixNano(), 10),
			End:        strconv.FormatInt(s.EndTime().UnixNano(), 10),
			Attributes: keyValues(s.Attributes()),
		})
	}
	service := "go-guide"
	body, err := json.Marshal(map[string][]resourceSpans{"resourceSpans": {{
		Resource:   resource{[]keyValue{{"service.name", value{Text: &service}}}},
		ScopeSpans: []scopeSpans{{spans}},
	}}})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the collector answered %s", response.Status)
	}
	return nil
}

func (e exporter) Shutdown(context.Context) error { return nil }

func keyValues(attributes []attribute.KeyValue) []keyValue {
	all := make([]keyValue, 0, len(attributes))
	for _, a := range attributes {
		text := a.Value.Emit()
		kv := keyValue{Key: string(a.Key)}
		if a.Value.Type() == attribute.INT64 {
			kv.Value.Number = &text
		} else {
			kv.Value.Text = &text
		}
		all = append(all, kv)
	}
	return all
}
