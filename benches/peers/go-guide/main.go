// The Go service of a production guide, with the libraries Debian packages: gin, zap, client_golang and OpenTelemetry's
// SDK. otelgin and the OTLP exporter are not packaged, so what they do for a request is written out here.
//
//	peer-go-guide PORT METRICS_PORT
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
)

const (
	timeout  = 30 * time.Second
	inFlight = 1000
)

var (
	requests = promauto.NewCounterVec(prometheus.CounterOpts{
		Name: "http_requests_total", Help: "Requests, by status.",
	}, []string{"method", "endpoint", "status"})
	durations = promauto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_request_duration_seconds",
		Help:    "Time from the head of a request to the end of its response.",
		Buckets: []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5},
	}, []string{"method", "endpoint"})
)

func observe(logger *zap.Logger) gin.HandlerFunc {
	tracer := otel.Tracer("go-guide")
	propagator := otel.GetTextMapPropagator()
	places := make(chan struct{}, inFlight)
	return func(c *gin.Context) {
		start := time.Now()
		route := c.FullPath()
		ctx := propagator.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
		ctx, span := tracer.Start(ctx, route, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.method", c.Request.Method),
			attribute.String("http.route", route),
			attribute.String("http.target", c.Request.URL.Path),
		))
		defer span.End()
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		traceID := span.SpanContext().TraceID().String()
		requestID := c.GetHeader("X-Request-Id")
		if requestID == "" {
			requestID = traceID
		}
		c.Header("X-Request-Id", requestID)

		select {
		case places <- struct{}{}:
			c.Next()
			<-places
		default:
			c.AbortWithStatus(http.StatusServiceUnavailable)
		}

		status := c.Writer.Status()
		took := time.Since(start)
		span.SetAttributes(attribute.Int("http.status_code", status))
		requests.WithLabelValues(c.Request.Method, route, strconv.Itoa(status)).Inc()
		durations.WithLabelValues(c.Request.Method, route).Observe(took.Seconds())
		logger.Info("request",
			zap.String("trace_id", traceID),
			zap.String("span_id", span.SpanContext().SpanID().String()),
			zap.String("method", c.Request.Method),
			zap.String("route", route),
			zap.String("path", c.Request.URL.Path),
			zap.Int("status", status),
			zap.Duration("duration", took),
			zap.String("request_id", requestID),
		)
	}
}

func run(port, metricsPort string) error {
	config := zap.NewProductionConfig()
	// one line for each request, as the others write it
	config.Sampling = nil
	config.OutputPaths = []string{"stdout"}
	logger, err := config.Build()
	if err != nil {
		return err
	}
	ratio, err := strconv.ParseFloat(os.Getenv("OTEL_TRACES_SAMPLER_ARG"), 64)
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter{os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") + "/v1/traces"}),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
	)
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})

	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(gin.Recovery(), observe(logger))
	router.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "hello") })
	router.GET("/api/orders/:id", func(c *gin.Context) {
		id, err := strconv.ParseUint(c.Param("id"), 10, 64)
		if err != nil {
			c.Status(http.StatusBadRequest)
			return
		}
		order := fmt.Sprintf(`{"id":%d,"status":"shipped","total":1999}`, id)
		c.Data(http.StatusOK, "application/json", []byte(order))
	})

	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer release()
	metrics := &http.Server{Addr: "127.0.0.1:" + metricsPort, Handler: promhttp.Handler()}
	main := &http.Server{Addr: "127.0.0.1:" + port, Handler: router, ReadTimeout: timeout, WriteTimeout: 2 * timeout}
	failed := make(chan error, 2)
	go func() { failed <- metrics.ListenAndServe() }()
	go func() { failed <- main.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := main.Shutdown(ctx); err != nil {
		return err
	}
	return provider.Shutdown(ctx)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: peer-go-guide PORT METRICS_PORT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
