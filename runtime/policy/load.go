package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
	"github.com/open-policy-agent/opa/v1/util"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"

	"github.com/smarthausgroup/caio/schema"
)

// Largest files that are read, in bytes. A policy of a megabyte was not written by people, and compiling takes far more
// memory than the text.
const (
	maxModule = 1 << 20
	maxData   = 16 << 20
)

// Load compiles the policies of fsys: every file ending in .rego but not _test.rego, and every data.json, data.yaml and
// data.yml. Names that begin with a dot are passed over. What lies below tenants/NAME is the tenant's: laid over the rest,
// it judges those whom that tenant sends (see Set.For). A tree without policies is a set that refuses nothing; whoever must
// not run so asks Len or Uncovered.
//
// The error is Faults with everything that was found wrong, or what reading fsys itself returned.
func Load(fsys fs.FS) (*Set, error) {
	t, err := readTree(fsys)
	if err != nil {
		return nil, err
	}
	s, err := t.load()
	var faults Faults
	if err != nil && !errors.As(err, &faults) {
		return nil, err
	}
	sound := len(faults) == 0
	tenants := make(map[string]*Set)
	for _, name := range t.tenants() {
		var more Faults
		if tenants[name], err = t.of(name).load(); err != nil && !errors.As(err, &more) {
			return nil, err
		}
		faults = append(faults, more.under(name, sound)...)
	}
	if len(faults) > 0 {
		return nil, faults.sorted()
	}
	s.files, s.tenants = t.files(), tenants
	s.digest = schema.Digest(s.files.Archive())
	for name, of := range tenants {
		of.digest, of.tenant = s.digest, name
	}
	return s, nil
}

// load compiles what of t is no tenant's.
func (t *tree) load() (*Set, error) {
	modules, faults := t.parse(false)
	documents, more := t.documents()
	faults = append(faults, more...)
	store := inmem.NewFromObjectWithOpts(documents, inmem.OptReturnASTValuesOnRead(true), inmem.OptRoundTripOnWrite(false))
	b := &builder{}
	compiler, more := compile(modules, store, b)
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, faults.sorted()
	}
	entries := 1000
	s := &Set{
		compiler: compiler,
		store:    store,
		patterns: cache.NewInterQueryValueCache(context.Background(), &cache.Config{
			InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &entries},
		}),
		where: b.where,
		limit: defaultLimit,
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	return s, nil
}

// finish fills in what follows from the compiled modules.
func (s *Set) finish() error {
	s.read, s.index = readsOf(s.compiler), indexable(s.compiler)
	for _, o := range s.where {
		o.complete(s.compiler)
		s.rules = append(s.rules, o.rule)
		if o.rule.Tenant != "" {
			s.own++
		}
	}
	if faults := misplaced(s.compiler); len(faults) > 0 {
		return faults.sorted()
	}
	var err error
	if s.route, err = newJudgement(s.compiler, s.where, KindRouting, KindSecurity); err != nil {
		return err
	}
	if s.check, err = newJudgement(s.compiler, s.where, KindGuarantee); err != nil {
		return err
	}
	if s.keep.query, err = newKeepQuery(s.compiler); err != nil {
		return err
	}
	s.warnings = lint(s.compiler, s.where).sorted()
	return nil
}

// tree is what was read of a file system.
type tree struct {
	modules, tests, data []file
	faults               Faults
}

type file struct {
	path    string // as people see it
	tenant  string // whose it is; empty: everybody's
	at      string // path within what is the tenant's, or everybody's
	content []byte
}

// readTree reads what concerns policies. Only the file system's own errors end it; a file that is too large, or a link
// that leads nowhere, is a fault like any other, so that all are told at once.
func readTree(fsys fs.FS) (*tree, error) {
	t := &tree{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read policies: %w", err)
		}
		base := path.Base(name)
		if name != "." && strings.HasPrefix(base, ".") {
			// Mounted configuration keeps its real files in hidden directories beside links to them.
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		return t.add(fsys, name, entry)
	})
	return t, err
}

func (t *tree) add(fsys fs.FS, name string, entry fs.DirEntry) error {
	lower := strings.ToLower(path.Base(name))
	isRego := strings.HasSuffix(lower, ".rego")
	isData := lower == "data.json" || lower == "data.yaml" || lower == "data.yml"
	link := entry.Type()&fs.ModeSymlink != 0
	if !isRego && !isData && !link {
		return nil
	}
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil && link:
		if isRego || isData {
			t.faults = append(t.faults, &caiov1.Fault{File: clean(name), Message: "this link leads nowhere"})
		}
		return nil
	case err != nil:
		return fmt.Errorf("read policies: %w", err)
	case info.IsDir():
		t.faults = append(t.faults, &caiov1.Fault{File: clean(name), Message: "links to directories are not followed; copy the policies here, or name that directory"})
		return nil
	case !isRego && !isData:
		return nil
	}
	limit := int64(maxModule)
	if isData {
		limit = maxData
	}
	if info.Size() > limit {
		t.faults = append(t.faults, &caiov1.Fault{File: clean(name), Message: fmt.Sprintf("%d bytes; at most %d are read", info.Size(), limit)})
		return nil
	}
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		return fmt.Errorf("read policies: %w", err)
	}
	f := file{path: name, at: name, content: content}
	if f.tenant, f.at, err = ofTenant(name); err != nil {
		t.faults = append(t.faults, &caiov1.Fault{File: clean(name), Message: err.Error()})
		return nil
	}
	switch {
	case isData:
		t.data = append(t.data, f)
	case isTest(name):
		t.tests = append(t.tests, f)
	default:
		t.modules = append(t.modules, f)
	}
	return nil
}

func isTest(name string) bool { return strings.HasSuffix(strings.ToLower(name), "_test.rego") }

// parse parses every module, tests too if asked for, and returns those that could be parsed.
func (t *tree) parse(tests bool) (map[string]*ast.Module, Faults) {
	faults := slices.Clone(t.faults)
	modules := make(map[string]*ast.Module)
	files := everybodys(t.modules)
	if tests {
		files = slices.Concat(files, everybodys(t.tests))
	}
	for _, f := range files {
		if blank(f.content) { // a file that is switched off, or hides another in an overlay
			continue
		}
		m, err := parse(f.path, f.content)
		if err != nil {
			faults = append(faults, faultsOf(f.path, err)...)
			continue
		}
		modules[f.path] = m
	}
	for _, f := range everybodys(t.modules) {
		if m := modules[f.path]; m != nil {
			faults = append(faults, shape(m)...)
		}
	}
	return modules, faults
}

// blank tells whether a module holds nothing but white space and comments.
func blank(content []byte) bool {
	for line := range bytes.Lines(content) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// documents merges the data files, each at the path of its directory.
func (t *tree) documents() (map[string]any, Faults) {
	root := make(map[string]any)
	var faults Faults
	for _, f := range everybodys(t.data) {
		var value any
		if err := decode(f, &value); err != nil {
			faults = append(faults, &caiov1.Fault{File: clean(f.path), Message: clean(err.Error())})
			continue
		}
		object, ok := value.(map[string]any)
		if !ok {
			faults = append(faults, &caiov1.Fault{File: clean(f.path), Message: "must hold an object at its top"})
			continue
		}
		if dir := path.Dir(f.at); dir != "." {
			parts := strings.Split(dir, "/")
			for _, part := range slices.Backward(parts) {
				object = map[string]any{part: object}
			}
		}
		if where, ok := merge(root, object, nil); !ok {
			faults = append(faults, &caiov1.Fault{File: clean(f.path), Message: "data." + strings.Join(where, ".") + " is already defined by another data file"})
		}
	}
	return root, faults
}

func decode(f file, into *any) error {
	if strings.HasSuffix(strings.ToLower(f.path), ".json") {
		d := json.NewDecoder(bytes.NewReader(f.content))
		d.UseNumber()
		if err := d.Decode(into); err != nil {
			return fmt.Errorf("read JSON: %w", err)
		}
		if d.More() {
			return errors.New("read JSON: more than one document")
		}
		return nil
	}
	if err := util.Unmarshal(f.content, into); err != nil {
		return fmt.Errorf("read YAML: %w", err)
	}
	return nil
}

// merge puts src into dst. It returns the first path at which both hold something that cannot be merged.
func merge(dst, src map[string]any, at []string) ([]string, bool) {
	for _, key := range slices.Sorted(maps.Keys(src)) {
		here := append(slices.Clone(at), key)
		old, taken := dst[key]
		if !taken {
			dst[key] = src[key]
			continue
		}
		a, ok1 := old.(map[string]any)
		b, ok2 := src[key].(map[string]any)
		if !ok1 || !ok2 {
			return here, false
		}
		if where, ok := merge(a, b, here); !ok {
			return where, false
		}
	}
	return nil, true
}

// files returns what decides: modules and data.
func (t *tree) files() Bundle {
	b := make(Bundle, len(t.modules)+len(t.data))
	for _, f := range slices.Concat(t.modules, t.data) {
		b[f.path] = f.content
	}
	return b
}

// conflicts tells the compiler where data lies, so that a package over the same path is an error.
func conflicts(store storage.Store) (func([]string) (bool, error), func(), error) {
	ctx := context.Background() // memory only, returns at once
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open policy data: %w", err)
	}
	return storage.NonEmpty(ctx, store, txn), func() { store.Abort(ctx, txn) }, nil
}
