package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/smarthausgroup/caio/examples/services"
	"github.com/smarthausgroup/caio/examples/udhr"
	"github.com/smarthausgroup/caio/sdk/service"
)

// Result is what was measured of one service.
type Result struct {
	Service string `json:"service"`
	// Accuracy is the share of sentences answered rightly; 0 for a service that tells no language.
	Accuracy float64 `json:"accuracy,omitempty"`
	// Sure is the share of sentences for which the service was at least as confident as its contract promises.
	Sure float64 `json:"sure,omitempty"`
	// Weak lists the languages below 80 %, the weakest first, with their accuracy.
	Weak []string `json:"weak,omitempty"`
	// Latency of one sentence and of one page, over HTTP.
	Sentences Latency `json:"sentences"`
	Pages     Latency `json:"pages"`
	// Throughput in calls a second, sentences over HTTP.
	Throughput float64 `json:"calls_per_second"`
	Promised   Promise `json:"promised"`
}

// Latency holds percentiles in milliseconds.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
}

// Promise is what the contract says. 0: nothing.
type Promise struct {
	Accuracy float64 `json:"accuracy,omitempty"`
	P95      float64 `json:"p95_latency_ms,omitempty"`
}

// untrue lists the promises that the measurement does not bear out.
func (r Result) untrue() []string {
	var out []string
	if r.Promised.Accuracy > r.Accuracy {
		out = append(out, fmt.Sprintf("%s promises an accuracy of %.4f, measured are %.4f", r.Service, r.Promised.Accuracy, r.Accuracy))
	}
	if slowest := max(r.Sentences.P95, r.Pages.P95); r.Promised.P95 > 0 && slowest > r.Promised.P95 {
		out = append(out, fmt.Sprintf("%s promises a p95 latency of %.0f ms, measured are %.2f ms", r.Service, r.Promised.P95, slowest))
	}
	return out
}

func measure(ctx context.Context, s services.Service, span time.Duration) (Result, error) {
	result := Result{Service: s.ServiceID, Promised: Promise{s.AccuracyMin, float64(s.LatencyP95) / float64(time.Millisecond)}}
	instance := s.New()
	if err := instance.Initialize(ctx, s.ForService()); err != nil {
		return result, err
	}
	if err := result.judge(ctx, instance); err != nil {
		return result, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return result, err
	}
	served := make(chan error, 1)
	go func() { served <- service.Serve(ctx, listener, s.New(), s.ForService(), service.Options{}) }()
	err = result.time(ctx, "http://"+listener.Addr().String()+"/v1/execute", span)
	stop()
	return result, errors.Join(err, <-served)
}

// judge asks the service about every sentence, in process.
func (r *Result) judge(ctx context.Context, s service.Service) error {
	right, sure, samples := 0, 0, udhr.Samples()
	byFile := map[string]int{}
	for _, sample := range samples {
		response, err := s.Execute(ctx, service.Request{Intent: service.Intent{Payload: payload(sample)}})
		if err != nil {
			return fmt.Errorf("%s article %d: %w", sample.File, sample.Article, err)
		}
		language, ok := response.Output["language"]
		if !ok {
			return nil // not a detector: there is no right answer
		}
		byFile[sample.File] += 0
		if language == sample.Language {
			right++
			byFile[sample.File]++
		}
		if confidence, _ := response.Metadata["confidence"].(float64); confidence >= r.Promised.Accuracy {
			sure++
		}
	}
	r.Accuracy = float64(right) / float64(len(samples))
	r.Sure = float64(sure) / float64(len(samples))
	r.Weak = weak(byFile, len(samples)/len(byFile))
	return nil
}

// weak names the files with fewer than 80 % right answers of n.
func weak(right map[string]int, n int) []string {
	var files []string
	for file, k := range right {
		if k*100 < n*80 {
			files = append(files, file)
		}
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Or(right[a]-right[b], cmp.Compare(a, b)) })
	for i, file := range files {
		files[i] = fmt.Sprintf("%s %d %%", file, right[file]*100/n)
	}
	return files
}

// time asks the service at url over HTTP, first one call after another, then many at once.
func (r *Result) time(ctx context.Context, url string, span time.Duration) error {
	workers := 2 * runtime.GOMAXPROCS(0)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	sentences := bodies(udhr.Samples())
	var err error
	if r.Sentences, err = percentiles(ctx, client, url, sentences); err != nil {
		return err
	}
	if r.Pages, err = percentiles(ctx, client, url, bodies(udhr.Pages())); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, span)
	defer stop()
	var calls atomic.Int64
	var group errgroup.Group
	started := time.Now()
	for range workers {
		group.Go(func() error {
			for i := 0; ; i++ {
				if err := post(ctx, client, url, sentences[i%len(sentences)]); err != nil {
					if ctx.Err() != nil {
						return nil // the time is up
					}
					return err
				}
				calls.Add(1)
			}
		})
	}
	err = group.Wait()
	r.Throughput = float64(calls.Load()) / time.Since(started).Seconds()
	return err
}

func percentiles(ctx context.Context, client *http.Client, url string, bodies [][]byte) (Latency, error) {
	for _, body := range bodies[:min(20, len(bodies))] { // connection, caches
		if err := post(ctx, client, url, body); err != nil {
			return Latency{}, err
		}
	}
	var times []float64
	for _, body := range bodies {
		started := time.Now()
		if err := post(ctx, client, url, body); err != nil {
			return Latency{}, err
		}
		times = append(times, float64(time.Since(started))/float64(time.Millisecond))
	}
	slices.Sort(times)
	at := func(p float64) float64 { return times[int(p*float64(len(times)-1))] }
	return Latency{at(.50), at(.95), at(.99)}, nil
}

func post(ctx context.Context, client *http.Client, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return err
}

func bodies(samples []udhr.Sample) [][]byte {
	var out [][]byte
	for _, sample := range samples {
		body, err := json.Marshal(service.Request{Intent: service.Intent{Payload: payload(sample)}})
		if err != nil {
			panic(err) // strings are always JSON
		}
		out = append(out, body)
	}
	return out
}

func payload(sample udhr.Sample) json.RawMessage {
	raw, err := json.Marshal(map[string]string{"text": sample.Text})
	if err != nil {
		panic(err) // strings are always JSON
	}
	return raw
}
