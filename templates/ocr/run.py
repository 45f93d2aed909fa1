"""Reads the text in a picture, line by line from the top."""

from cog import BaseModel, BaseRunner, Input, Path
from rapidocr_onnxruntime import RapidOCR


class Output(BaseModel):
    text: str
    lines: list[str]
    confidence: float


class Runner(BaseRunner):
    def setup(self) -> None:
        # Pictures are looked at in their own size, larger ones scaled down to it (pixels of the longer side).
        self.engine = RapidOCR(det_limit_type="max", det_limit_side_len=1600)

    def run(
        self,
        image: Path = Input(description="A picture: PNG, JPEG, BMP, WebP"),
        min_confidence: float = Input(description="Leave out lines below this", default=0.5, ge=0, le=1),
    ) -> Output:
        found, _ = self.engine(str(image))
        kept = [(text, float(score)) for _, text, score in found or [] if float(score) >= min_confidence]
        lines = [text for text, _ in kept]
        confidence = min((score for _, score in kept), default=0.0)
        return Output(text="\n".join(lines), lines=lines, confidence=round(confidence, 3))
